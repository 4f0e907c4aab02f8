/** Raised verbosity ends, whatever happens to the process and to the clock. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openVerbosity, raisedMs, type Verbosity } from '../agent/verbosity.js'

const startMs = Date.parse('2026-11-26T10:00:00.000Z')
const minute = 60_000

/** A host: its clocks, and the process that runs on it. */
function host(t: Test) {
  const path = join(t.testdir({}), 'verbosity.json')
  const time = { wallMs: startMs, bootMs: 5_000, bootId: 'boot-1' }
  const told: string[] = []
  const warned: string[] = []
  let due: { atMs: number; act: () => void } | null = null
  const open = (): Verbosity =>
    openVerbosity({
      path,
      clock: {
        get bootId() {
          return time.bootId
        },
        now: () => ({ wallMs: time.wallMs, monoMs: time.bootMs, bootMs: time.bootMs }),
      },
      say: ({ note, verbosity, by }) => void told.push(`${verbosity} by ${by}: ${note}`),
      warn: message => void warned.push(message),
      after: (delayMs, act) => {
        const timer = { atMs: time.bootMs + delayMs, act }
        due = timer
        return () => {
          if (due === timer) due = null
        }
      },
    })
  return {
    path,
    time,
    told,
    warned,
    open,
    /** The timers of the process go off in between. */
    pass(ms: number) {
      const endMs = time.bootMs + ms
      while (due !== null && due.atMs <= endMs) {
        const { atMs, act } = due
        time.wallMs += atMs - time.bootMs
        time.bootMs = atMs
        due = null
        act()
      }
      time.wallMs += endMs - time.bootMs
      time.bootMs = endMs
    },
    reboot(wallMs: number) {
      due = null
      Object.assign(time, { wallMs, bootMs: 1_000, bootId: `${time.bootId}+` })
    },
  }
}

const until = (verbosity: Verbosity): string | undefined => verbosity.raised()?.until

t.test('it ends by itself, and says so', async t => {
  const { open, pass, told, path } = host(t)
  const verbosity = open()
  t.equal(verbosity.raised(), null)
  t.strictSame(await verbosity.raise('mark-1', raisedMs.default), {
    by: 'mark-1',
    since: '2026-11-26T10:00:00.000Z',
    until: '2026-11-26T10:10:00.000Z',
  })
  t.ok(existsSync(path))
  pass(10 * minute - 1)
  t.equal(until(verbosity), '2026-11-26T10:10:00.000Z')
  pass(1)
  t.equal(verbosity.raised(), null)
  t.strictSame(told, [
    'raised by mark-1: verbose records go into the ring until 2026-11-26T10:10:00.000Z',
    'lowered by mark-1: verbose records are no longer written into the ring: the time is over',
  ])
  await verbosity.lower('mark-1')
  t.notOk(existsSync(path))
  t.equal(told.length, 2, 'what has ended does not end again')
})

t.test('who asked ends it, and nobody else', async t => {
  const { open, pass, told } = host(t)
  const verbosity = open()
  await verbosity.raise('mark-1', 10 * minute)
  await verbosity.raise('mark-2', 5 * minute)
  t.equal(verbosity.raised()?.by, 'mark-1', 'it lasts longer anyway')
  await verbosity.lower('mark-2')
  t.equal(until(verbosity), '2026-11-26T10:10:00.000Z')
  pass(minute)
  await verbosity.raise('mark-3', 30 * minute)
  await verbosity.lower('mark-1')
  t.strictSame(verbosity.raised(), {
    by: 'mark-3',
    since: '2026-11-26T10:00:00.000Z',
    until: '2026-11-26T10:31:00.000Z',
  })
  await verbosity.lower('mark-3')
  t.equal(verbosity.raised(), null)
  t.equal(
    told.at(-1),
    'lowered by mark-3: verbose records are no longer written into the ring: who asked for them has what they need',
  )
  t.equal((await verbosity.raise('mark-4', 1e12)).until, '2026-11-27T10:01:00.000Z', 'never longer than a day')
})

t.test('a restart takes nothing away from its end', async t => {
  const { open, pass, told, time } = host(t)
  const before = open()
  await before.raise('mark-1', 10 * minute)
  pass(4 * minute)
  before.close()
  // Whoever steps the clock does not change how long a minute is.
  time.wallMs += 3_600_000
  const verbosity = open()
  t.equal(until(verbosity), '2026-11-26T11:10:00.000Z')
  t.match(told.at(-1), 'verbose records go on into the ring until 2026-11-26T11:10:00.000Z')
  pass(6 * minute)
  t.equal(verbosity.raised(), null)
})

t.test('a restart after its time says that it is over', async t => {
  const { open, pass, told } = host(t)
  const before = open()
  await before.raise('mark-1', 10 * minute)
  before.close()
  pass(11 * minute)
  const verbosity = open()
  t.equal(verbosity.raised(), null)
  t.match(
    told.at(-1),
    'lowered by mark-1: verbose records are no longer written into the ring: its time was over while',
  )
  await verbosity.lower('mark-1')
  verbosity.close()
  t.equal(open().raised(), null)
  t.equal(told.length, 2)
})

t.test('after a reboot the wall clock counts, and one that starts in 1970 makes it no longer', async t => {
  const { open, pass, reboot } = host(t)
  let verbosity = open()
  await verbosity.raise('mark-1', 10 * minute)
  pass(2 * minute)
  await verbosity.lower('nobody')
  reboot(startMs + 3 * minute)
  verbosity = open()
  t.equal(until(verbosity), '2026-11-26T10:10:00.000Z')
  await verbosity.lower('nobody')
  pass(2 * minute)
  await verbosity.lower('nobody')
  for (const left of [5, 4, 3]) {
    reboot(0)
    verbosity = open()
    t.equal(until(verbosity), new Date(left * minute).toISOString())
    pass(minute)
    await verbosity.lower('nobody')
  }
})

t.test('it ends in time although the host was suspended, and the timer was not', async t => {
  const { open, time } = host(t)
  const verbosity = open()
  await verbosity.raise('mark-1', 10 * minute)
  time.bootMs += 3_600_000
  time.wallMs += 3_600_000
  verbosity.look()
  t.equal(verbosity.raised(), null)
})

t.test('a file that is no good raises nothing', async t => {
  const { open, path, told } = host(t)
  for (const text of [
    '',
    '{',
    '[]',
    '{"by":"x","sinceMs":0,"bootId":"boot-1","endsBootMs":1e300,"atMs":0,"leftMs":1e12}',
  ]) {
    writeFileSync(path, text)
    t.equal(open().raised(), null, text)
  }
  writeFileSync(path, '{"by":"x","sinceMs":0,"bootId":"boot-1","endsBootMs":1e300,"atMs":0,"leftMs":60000}')
  t.equal(until(open()), '2026-11-26T10:01:00.000Z', 'nor does one that was meddled with raise it for longer')
  t.equal(told.length, 1)
})

t.test('a disk that refuses is said, and it is raised all the same', async t => {
  const { open, path, warned, pass } = host(t)
  const verbosity = open()
  const { mkdirSync } = await import('node:fs')
  mkdirSync(`${path}.tmp`)
  await verbosity.raise('mark-1', minute)
  t.equal(until(verbosity), '2026-11-26T10:01:00.000Z')
  t.match(warned, [/cannot be kept over a restart/])
  pass(minute)
  t.equal(verbosity.raised(), null)
  t.throws(() => readFileSync(path))
})
