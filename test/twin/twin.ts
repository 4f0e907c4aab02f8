/** The rhythm of the twin: read when a session has begun, followed while it lasts, reported to as seldom as it bears. */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { isObject, type Json, merged } from '../../agent/twin/patch.js'
import type { TwinSettings } from '../../agent/twin/settings.js'
import { createTwin } from '../../agent/twin/twin.js'
import type { ServedSession } from '../../transports/supervisor.js'
import type { TwinDocument } from '../../transports/twin-document.js'

type Asked = 'read' | Json

/** A hub, a clock that is moved by hand, and a device whose state is a number. */
function scene({ desired: heeds = true }: { desired?: boolean } = {}) {
  let nowMs = 0
  let level: unknown = 1
  let refuses = false
  let end = new AbortController()
  let twin: TwinDocument = { desired: { $version: 1 }, reported: { $version: 1 } }
  const waits = new Set<{ dueMs: number; go(): void }>()
  const asked: [atSeconds: number, what: Asked][] = []
  const taken: [component: unknown, version: number, named: readonly string[] | null][] = []
  const warned: string[] = []
  const stop = new AbortController()
  let tell: { change(patch: unknown): void; lost(): void } = { change: () => undefined, lost: () => undefined }

  const settings: TwinSettings = {
    begin: async () => undefined,
    async take(component, version, named) {
      taken.push([component, version, named && [...named]])
    },
    answers: () =>
      Object.fromEntries(
        Object.entries(isObject(twin.desired.hubrec) ? twin.desired.hubrec : {}).map(([name, value]) => [
          name,
          { value: value as number, ac: 200, av: 1, ad: 'accepted' },
        ]),
      ),
  }
  const device = createTwin({
    settings: heeds ? settings : null,
    state: async () => ({ level }),
    nowMs: () => nowMs,
    warn: message => void warned.push(message),
    random: () => 0,
    wait: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const wait = { dueMs: nowMs + delayMs, go: resolve }
        waits.add(wait)
        signal.addEventListener('abort', () => {
          waits.delete(wait)
          reject(new Error('aborted'))
        })
        if (signal.aborted) reject(new Error('aborted'))
      }),
  })
  void device.part.run(stop.signal)
  t.teardown(() => stop.abort())

  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await setImmediate()
  }
  const scene = {
    asked,
    taken,
    warned,
    look: device.look,
    async pass(seconds: number): Promise<void> {
      const untilMs = nowMs + seconds * 1e3
      await settled()
      for (;;) {
        const next = [...waits].sort((a, b) => a.dueMs - b.dueMs)[0]
        if (!next || next.dueMs > untilMs) break
        nowMs = Math.max(nowMs, next.dueMs)
        waits.delete(next)
        next.go()
        await settled()
      }
      nowMs = untilMs
    },
    begin(): void {
      end = new AbortController()
      const session: ServedSession = {
        ended: end.signal,
        async readTwin() {
          asked.push([nowMs / 1e3, 'read'])
          if (refuses) throw new Error('no')
          return twin
        },
        async report(patch) {
          const component = (patch as { hubrec: Json }).hubrec
          asked.push([nowMs / 1e3, component])
          if (refuses) throw new Error('no')
          twin = { ...twin, reported: merged(twin.reported, patch as Json) }
        },
        send: async () => undefined,
        onDesired: change => {
          tell = { ...tell, change }
        },
        onTwinLost: lost => {
          tell = { ...tell, lost }
        },
      }
      device.served(session)
    },
    lose: async () => {
      end.abort()
      await settled()
    },
    refuse(now: boolean) {
      refuses = now
    },
    be(now: unknown) {
      level = now
    },
    /** Somebody changes the desired properties. @param heard whether the device is told */
    async desire(patch: Json, heard: 'told' | 'missed' | 'unreadable' = 'told'): Promise<void> {
      const version = Number(twin.desired.$version) + 1
      twin = { ...twin, desired: { ...merged(twin.desired, patch), $version: version } }
      if (heard !== 'missed') tell.change(heard === 'told' ? { ...patch, $version: version } : null)
      await settled()
    },
    late: (version: number) => tell.change({ hubrec: { old: 1 }, $version: version }),
    losesTwin: () => tell.lost(),
  }
  return scene
}

t.test(
  'it is read a second after the session has begun, and the state is reported after a quarter of a minute',
  async t => {
    const { asked, begin, pass, taken } = scene()
    begin()
    await pass(0.9)
    t.strictSame(asked, [])
    await pass(14)
    t.strictSame(asked, [[1, 'read']])
    t.strictSame(taken, [[undefined, 1, null]])
    await pass(1)
    t.strictSame(asked.slice(1), [[15, { __t: 'c', level: 1 }]])
    await pass(600)
    t.equal(asked.length, 2, 'nothing has changed')
  },
)

t.test('at most one patch of the state a minute, with what differs, and at once after a quiet one', async t => {
  const { asked, be, begin, look, pass } = scene()
  begin()
  await pass(16)
  be(2)
  look()
  await pass(30)
  be(3)
  look()
  await pass(28)
  t.equal(asked.length, 2)
  await pass(1)
  t.strictSame(asked.slice(2), [[75, { level: 3 }]])
  await pass(200)
  be(4)
  look()
  await pass(0)
  t.strictSame(asked.slice(3), [[275, { level: 4 }]])
})

t.test('a change is taken as it comes, and answered at once', async t => {
  const { asked, begin, desire, pass, taken } = scene()
  begin()
  await pass(17)
  await desire({ hubrec: { interval: 5 } })
  t.strictSame(taken.slice(1), [[{ interval: 5 }, 2, ['interval']]])
  t.equal(asked.length, 2, 'not in the same five seconds as another')
  await pass(3)
  t.strictSame(asked.slice(2), [[20, { interval: { value: 5, ac: 200, av: 1, ad: 'accepted' } }]])
  await desire({ elsewhere: 1 })
  t.equal(taken.length, 2, 'that was for somebody else')
})

t.test('a missed or unreadable change is no problem: the whole is read again; an old one is nothing', async t => {
  const { asked, begin, desire, late, losesTwin, pass, taken } = scene()
  begin()
  await pass(100)
  late(1)
  await pass(0)
  t.equal(taken.length, 1)
  await desire({ hubrec: { interval: 5 } }, 'missed')
  await desire({ hubrec: { budget: 6 } })
  t.strictSame(asked.slice(2, 3), [[100, 'read']])
  t.strictSame(taken.slice(1), [[{ interval: 5, budget: 6 }, 3, null]])
  await desire({ hubrec: { budget: 7 } }, 'unreadable')
  t.strictSame(taken.slice(2), [[{ interval: 5, budget: 7 }, 4, null]])
  await pass(100)
  const before = asked.length
  losesTwin()
  await pass(0)
  t.strictSame(asked.slice(before), [[200, 'read']], 'its links were gone')
})

t.test('each session reads it anew, and writes nothing that stands there', async t => {
  const { asked, begin, desire, lose, pass, taken } = scene()
  begin()
  await pass(100)
  await lose()
  await desire({ hubrec: { interval: 5 } }, 'missed')
  await pass(1_000)
  begin()
  await pass(100)
  t.strictSame(asked.slice(2), [
    [1_101, 'read'],
    [1_101, { interval: { value: 5, ac: 200, av: 1, ad: 'accepted' } }],
  ])
  t.strictSame(taken.slice(1), [[{ interval: 5 }, 2, null]])
})

t.test('what fails is tried again, later each time, and the twin is read before it is written to', async t => {
  const { asked, begin, pass, refuse, warned } = scene()
  refuse(true)
  begin()
  await pass(200)
  refuse(false)
  await pass(300)
  t.strictSame(asked.slice(0, 5), [
    [1, 'read'],
    [61, 'read'],
    [181, 'read'],
    [421, 'read'],
    [421, { __t: 'c', level: 1 }],
  ])
  t.equal(warned.length, 3)
})

t.test('a hub that ends sessions upon it is left alone, for longer each time', async t => {
  const { asked, begin, lose, pass, warned } = scene()
  for (let session = 0; session < 4; session++) {
    begin()
    await pass(2)
    await lose()
    await pass(58)
  }
  t.strictSame(
    asked.map(([at]) => at),
    [1, 61],
  )
  t.match(warned, [/left alone for 10 minutes/])
  begin()
  await pass(1_000)
  t.equal(asked[2]?.[0], 662, 'after that it is asked again')
})

t.test('where desired properties are not heeded, what was answered before goes', async t => {
  const { asked, begin, desire, pass, taken } = scene({ desired: false })
  await desire({ hubrec: { interval: 5 } })
  begin()
  await pass(100)
  t.strictSame(asked, [
    [1, 'read'],
    [15, { __t: 'c', level: 1 }],
  ])
  t.strictSame(taken, [])
})
