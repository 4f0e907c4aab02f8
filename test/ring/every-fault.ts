/**
 * Whatever goes wrong, at whichever operation: nothing that was promised is lost, nothing is there twice, whatever is missing is
 * spoken of, and the next start is an ordinary one.
 *
 * The operations of a few scenarios are counted, and each scenario is lived through again with every fault at every one of
 * them. `HUBREC_TEST_LONG=1` tries all, otherwise a few hundred are drawn, so that each fault meets each kind of operation.
 * `HUBREC_TEST_SEED` repeats the draw, `HUBREC_TEST_STORY` one story as it was printed.
 */
import '../support/steady-deflate.js'

import t from 'tap'
import { AgentError } from '../../agent/errors.js'
import { codeOf } from '../../agent/ring/disk.js'
import { readRing } from '../../agent/ring/read.js'
import { readName } from '../../agent/ring/segment.js'
import { classes, Life, ringDir, toldOf } from '../support/ring-life.js'
import { RingModel } from '../support/ring-model.js'
import { collect, seedFrom } from '../support/ring-records.js'
import { type Call, type Crash, type Fault, randomFrom, SimulatedDisk } from '../support/simulated-disk.js'

const budgetBytes = 262_144
const segmentBytes = 16 * 1024
const isLong = process.env.HUBREC_TEST_LONG === '1'
const options = { budgetBytes, classes }

// ---- what is lived through

/** Where a scenario begins: a disk, and what may be expected on it. */
type Start = Readonly<{ disk: SimulatedDisk; model: RingModel }>

type Scenario = Readonly<{
  name: string
  start: Start
  /** @returns the life that ended it */
  live(disk: SimulatedDisk, model: RingModel, lives: Life[]): Promise<void>
}>

/** What fills a segment: large records, one of which somebody waits for, and small ones that nobody does. */
async function round(life: Life, type: string): Promise<void> {
  const appended = [
    life.append(type, 5_000, 'kernel'),
    life.append('wire', 5_000, 'disk'),
    life.append('log', 4_000, 'kernel'),
    ...Array.from({ length: 6 }, () => life.append('log', 50, 'kernel')),
  ]
  await life.timers.until(Promise.all(appended))
}

/** Reading may fail with the disk, but then it says so. */
async function read(life: Life): Promise<void> {
  try {
    const { problems } = life.model.parse(await collect(readRing(ringDir, { disk: life.disk })))
    life.problems.push(...problems)
  } catch (error) {
    if (!(error instanceof AgentError) && codeOf(error) === '') throw error
  }
}

async function healed(life: Life): Promise<void> {
  if (!(await life.heal())) life.problems.push('it did not find its way back')
}

async function opened(disk: SimulatedDisk, model: RingModel, lives: Life[]): Promise<Life> {
  const life = new Life(disk, model)
  await life.open(options)
  lives.push(life)
  return life
}

/** Writes, rotates, overflows, reads, waits for the regular sync, closes, opens and goes on. */
async function work(disk: SimulatedDisk, model: RingModel, lives: Life[]): Promise<void> {
  const first = await opened(disk, model, lives)
  for (const type of ['episode', 'log', 'sample']) await round(first, type)
  await read(first)
  void first.append('log', 300, 'kernel')
  await first.timers.advance(5_100)
  for (const type of ['sample', 'log']) await round(first, type)
  await healed(first)
  await first.close()
  const second = await opened(disk, model, lives)
  await round(second, 'episode')
  await read(second)
  await healed(second)
  await second.close()
}

async function begin(disk: SimulatedDisk, model: RingModel, lives: Life[]): Promise<void> {
  const life = await opened(disk, model, lives)
  await round(life, 'episode')
  await read(life)
  await life.timers.advance(5_100)
  await healed(life)
  await life.close()
}

const freshDisk = async (seed: number): Promise<SimulatedDisk> => {
  const disk = new SimulatedDisk({ random: randomFrom(seed) })
  await disk.makeDirectory('/state')
  return disk
}

/** A ring that has overflowed already, closed. */
async function fullRing(): Promise<Start> {
  const disk = await freshDisk(1)
  const model = new RingModel(classes)
  const life = new Life(disk, model)
  await life.open(options)
  // Four records of a class that has a share, which their age alone would not keep.
  for (let n = 0; n < 30; n++) await round(life, n < 4 ? 'episode' : 'sample')
  await life.close()
  const problems = [...life.problems, ...model.settle(await toldOf(disk))]
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return { disk, model }
}

/** What a crash in the middle of it left, before anybody has looked at it. */
async function crashedRing(full: Start, how: Crash, seed: number): Promise<Start> {
  const random = randomFrom(seed)
  const disk = full.disk.copy(random)
  const model = full.model.copy()
  const at = disk.calls + 60 + Math.floor(random() * 60)
  disk.onCall = ({ index, operation }) => (index >= at && operation === 'write' ? { crash: how, when: 'within' } : null)
  void work(disk, model, [])
  const left = await disk.crashed
  model.crashed(how)
  return { disk: left, model }
}

async function scenarios(seed: number): Promise<Scenario[]> {
  const full = await fullRing()
  return [
    { name: 'a new ring', start: { disk: await freshDisk(2), model: new RingModel(classes) }, live: begin },
    { name: 'a full ring', start: full, live: work },
    { name: 'after kill -9', start: await crashedRing(full, 'kill', seed), live: begin },
    { name: 'after a power cut', start: await crashedRing(full, 'power', seed + 1), live: begin },
    { name: 'after another', start: await crashedRing(full, 'power', seed + 2), live: begin },
  ]
}

// ---- what goes wrong

/** The n-th operation of a kind, from 0: the order of those that go on beside each other is not the same each time. */
type Story = Readonly<{ scenario: string; kind: string; nth: number; fault: string; seed: number }>

/** By name: what happens to the operation that is meant, and to those that come so and so long after it. */
const faults: Readonly<Record<string, (call: Call, after: number) => Fault | null>> = {
  ...Object.fromEntries(
    (['kill', 'power'] as const).flatMap(crash =>
      (['before', 'within', 'after'] as const).map(when => [
        `${crash} ${when}`,
        (_: Call, after: number) => (after === 0 ? { crash, when } : null),
      ]),
    ),
  ),
  ...Object.fromEntries(
    ['EIO', 'ENOSPC', 'EROFS'].map(fails => [
      `${fails} once`,
      (_: Call, after: number) => (after === 0 ? { fails } : null),
    ]),
  ),
  'EIO for a while': (_, after) => (after < 9 ? { fails: 'EIO' } : null),
  'ENOSPC for a while': ({ operation }, after) =>
    after === 0 || (after < 40 && ['write', 'open', 'datasync', 'makeDirectory'].includes(operation))
      ? { fails: 'ENOSPC' }
      : null,
  'a short write': (_, after) => (after === 0 ? { takes: 100 } : null),
}

/** An operation and what it is done to, by a name that says nothing of numbers. */
function kindOf({ operation, path }: Call): string {
  if (!path.startsWith(`${ringDir}/`)) return `${operation} directory`
  const name = readName(path.slice(ringDir.length + 1))
  return `${operation} ${name.kind === 'segment' ? (name.sealed ? 'sealed' : 'text') : name.kind}`
}

/** How many operations there are of each kind when nothing goes wrong. */
async function countsOf({ start, live }: Scenario): Promise<Map<string, number>> {
  const disk = start.disk.copy(randomFrom(1))
  const counts = new Map<string, number>()
  disk.onCall = call => {
    counts.set(kindOf(call), (counts.get(kindOf(call)) ?? 0) + 1)
    return null
  }
  await live(disk, start.model.copy(), [])
  return counts
}

// ---- what is said of it

async function problemsOf({ start, live }: Scenario, { fault, kind, nth, seed }: Story, onMet: () => void) {
  const random = randomFrom(seed)
  const disk = start.disk.copy(random)
  const model = start.model.copy()
  let left = nth
  let metAt = Number.POSITIVE_INFINITY
  let how: Crash = random() < 0.5 ? 'kill' : 'power'
  disk.onCall = call => {
    if (process.env.DBG) console.log('S', call.index, call.operation, call.path)
    if (metAt === Number.POSITIVE_INFINITY && kindOf(call) === kind && left-- === 0) {
      metAt = call.index
      onMet()
    }
    const wrong = call.index >= metAt ? faults[fault]!(call, call.index - metAt) : null
    if (wrong && 'crash' in wrong) how = wrong.crash
    // What a disk does not give back a recovery may have to take for lost.
    if (wrong && 'fails' in wrong && ['open', 'read', 'close'].includes(call.operation)) model.confused()
    return wrong
  }
  const lives: Life[] = []
  const crashed = await Promise.race([live(disk, model, lives).then(() => null), disk.crashed])
  // What was answered in the last moment was promised too.
  await new Promise(resolve => setImmediate(resolve))
  const problems = lives.flatMap(life => life.problems)
  model.crashed(how)
  return [...problems, ...(await problemsAfter(crashed ?? disk.crash(how), model, disk.peakBytesIn(ringDir)))]
}

/** What is wrong with what a crash left, and with how a ring starts on it, and starts again. */
async function problemsAfter(disk: SimulatedDisk, model: RingModel, peakBytes: number): Promise<string[]> {
  const problems: string[] = []
  if (peakBytes > budgetBytes + segmentBytes) problems.push(`there were ${peakBytes} bytes`)
  if (disk.files('/state').length + disk.files(ringDir).length > 0) {
    const before = model.parse(await collect(readRing(ringDir, { disk })))
    if (process.env.DBG) {
      for (const { name, bytes } of disk.files(ringDir)) console.log(name, bytes)
      console.log(
        [...before.records].map(([seq, json]) => `${seq}:${before.ids.get(seq) ?? json.slice(-100)}`).join(' '),
        before.gaps,
      )
    }
    problems.push(...before.problems, ...model.missing(before).map(what => `before recovery: ${what}`))
  }

  const life = new Life(disk, model)
  await life.open(options)
  const appended = Promise.all([life.append('log', 100, 'disk'), life.append('log', 5_000, 'kernel')])
  if ((await life.timers.until(appended)).includes(0)) problems.push(`it takes no records: ${life.ring.state.refusal}`)
  await life.close()
  problems.push(...life.problems, ...model.settle(await toldOf(disk)))
  const quarantined = disk.files(ringDir).filter(({ name }) => name.endsWith('.bad'))
  if (quarantined.length > 1) problems.push(`${quarantined.length} files are in quarantine`)
  if (disk.bytesIn(ringDir) > budgetBytes) problems.push(`there are ${disk.bytesIn(ringDir)} bytes`)

  const next = new Life(disk, model)
  await next.open(options)
  const todo = next.recovery.filter(({ action }) => action !== 'kept')
  if (todo.length > 0) problems.push(`the next start finds more to do: ${JSON.stringify(todo)}`)
  await next.close()
  return [...problems, ...model.settle(await toldOf(disk))]
}

// ---- all of it

t.test(
  'whatever goes wrong at whichever operation: what was promised is there, and what is missing is said',
  async t => {
    const seed = seedFrom('HUBREC_TEST_SEED')
    t.comment(`HUBREC_TEST_SEED=${seed}`)
    const all = await scenarios(seed)
    const random = randomFrom(seed)
    const stories: Story[] = []
    const kinds = new Set<string>()
    for (const scenario of all) {
      for (const [kind, count] of await countsOf(scenario)) {
        kinds.add(kind)
        for (const fault of Object.keys(faults)) {
          if (fault === 'a short write' && !kind.startsWith('write')) continue
          const all = Array.from({ length: count }, (_, nth) => nth)
          const drawn = isLong ? all : [Math.floor(random() * count)]
          for (const nth of drawn)
            stories.push({ scenario: scenario.name, kind, nth, fault, seed: Math.floor(random() * 2 ** 31) })
        }
      }
    }
    const met = new Set<string>()
    if (process.env.HUBREC_TEST_STORY) stories.splice(0, stories.length, JSON.parse(process.env.HUBREC_TEST_STORY))
    const wrong: string[] = []
    for (const story of stories) {
      const scenario = all.find(({ name }) => name === story.scenario)!
      const problems = await problemsOf(scenario, story, () => met.add(`${story.fault}: ${story.kind}`))
      wrong.push(...problems.map(problem => `${JSON.stringify(story)}: ${problem}`))
    }
    t.comment(`${stories.length} stories`)
    if (process.env.DBGALL) for (const w of wrong) console.log('W', w)
    t.strictSame(wrong.slice(0, 20), [], `${wrong.length} things are wrong`)
    console.log([...kinds].sort().join('\n'))
    t.strictSame(
      [...new Set(stories.map(({ fault, kind }) => `${fault}: ${kind}`))].filter(pair => !met.has(pair)),
      [],
    )
  },
)
