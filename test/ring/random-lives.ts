/**
 * Random lives of a ring on a simulated disk, against a model of what it has promised: appends and bursts, waited for or not,
 * disks that fill up, turn read-only or fail now and then, kills, power cuts, torn tails, flipped bits, readers beside all of
 * it, and every time the next life on what is left.
 *
 * Those that ended badly once, in `test/fixtures/ring-lives.ndjson`, are lived each time.
 *
 * The long run lives 10,000 lives of 200 actions. The seed and `HUBREC_TEST_PATH`, both as they were printed, repeat one.
 */
import '../support/steady-deflate.js'

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { lastRecords } from '../../agent/ring/last.js'
import { followRing, readRing } from '../../agent/ring/read.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { countOf, isLong, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { classes, Life, ringDir, toldOf } from '../support/ring-life.js'
import { grep, RingModel, type Told, unzipped } from '../support/ring-model.js'
import { collect } from '../support/ring-records.js'
import { type Crash, type Operation, type Random, SimulatedDisk } from '../support/simulated-disk.js'

const runs = countOf('HUBREC_TEST_LIVES', { slice: 500, long: 10_000 })
const actionsMax = isLong ? 200 : 40

const diskBytes = 16 * 1024 * 1024
const smallestBudget = 262_144
/** At the largest budget below. A record that is longer has a segment of its own. */
const segmentBytes = 32 * 1024

// ---- what can happen

const types = ['log', 'wire', 'sample', 'episode'] as const
type Type = (typeof types)[number]

/** What fails when something cannot be read. */
const reading: readonly Operation[] = ['list', 'names', 'open', 'stat', 'read', 'close']

/** A place by how far into something it is. */
type Share = number

type Flip = Readonly<{ file: Share; at: Share; bit: number }>

type Action =
  | Readonly<{ do: 'append'; type: Type; bytes: number; durability: 'kernel' | 'disk'; wait: boolean }>
  | Readonly<{ do: 'burst'; type: Type; count: number; bytes: number; wait: boolean }>
  | Readonly<{ do: 'advance'; ms: number }>
  | Readonly<{ do: 'read'; from: Share }>
  | Readonly<{ do: 'window'; from: Share; to: Share; types: readonly Type[] }>
  | Readonly<{ do: 'follow'; from: Share }>
  | Readonly<{ do: 'verify' }>
  | Readonly<{ do: 'fill'; freeBytes: number }>
  | Readonly<{ do: 'free' }>
  | Readonly<{ do: 'readOnly' }>
  | Readonly<{ do: 'fail'; operation: Operation; code: string; times: number }>
  | Readonly<{ do: 'clock'; stepMs: number }>
  | Readonly<{
      do: 'crash'
      how: Crash
      /** So many operations later. */
      after: number
      when: 'before' | 'within' | 'after'
      /** While the next life begins. */
      again: Readonly<{ how: Crash; after: number }> | null
      tear: Tear
      flips: readonly Flip[]
    }>
  | Readonly<{ do: 'close'; budgetBytes: number }>

/** What stands behind the last line after a crash, though nobody wrote it. */
const tears = {
  nothing: '',
  'half a line': '89abcdef {"seq":99,"at":"20',
  zeros: '\0'.repeat(700),
  'whole lines': '00000000 {"seq":98}\ngarbage\nand more of i',
} as const
type Tear = keyof typeof tears

const share = fc.double({ min: 0, max: 1, noNaN: true })
const size = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 400 }) },
  { weight: 3, arbitrary: fc.nat({ max: 6_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(16_000, 20_000, 70_000, 140_000) },
)
const type = fc.constantFrom(...types)
const flips = fc.oneof(
  { weight: 7, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(fc.record({ file: share, at: share, bit: fc.nat({ max: 7 }) }), { maxLength: 3 }) },
)

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      type,
      bytes: size,
      durability: fc.constantFrom('kernel' as const, 'kernel' as const, 'disk' as const),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      type,
      count: fc.oneof(
        { weight: 12, arbitrary: fc.nat({ max: 60 }) },
        { weight: 1, arbitrary: fc.constantFrom(2_100, 3_000) },
      ),
      bytes: fc.oneof(fc.constant(20), fc.constant(250), fc.constant(3_000)),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 20, 2_100, 5_100, 70_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), from: share }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('window' as const),
      from: share,
      to: share,
      types: fc.subarray([...types]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('follow' as const), from: share }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('verify' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('fill' as const), freeBytes: fc.constantFrom(0, 5_000, 70_000) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('free' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('readOnly' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      operation: fc.constantFrom<Operation>(
        ...(['list', 'names', 'open', 'stat', 'read', 'write', 'truncate', 'datasync'] as const),
        ...(['close', 'rename', 'remove', 'syncDirectory'] as const),
      ),
      code: fc.constantFrom('EIO', 'ENOSPC', 'EROFS', 'EMFILE'),
      times: fc.constantFrom(1, 1, 3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clock' as const), stepMs: fc.constantFrom(-3e11, -60_000, 60_000, 3e11) }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      how: fc.constantFrom('kill' as const, 'power' as const),
      after: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 200 })),
      when: fc.constantFrom('before' as const, 'within' as const, 'after' as const),
      again: fc.option(
        fc.record({ how: fc.constantFrom('kill' as const, 'power' as const), after: fc.nat({ max: 100 }) }),
      ),
      tear: fc.oneof(
        { weight: 5, arbitrary: fc.constant('nothing' as const) },
        { weight: 1, arbitrary: fc.constantFrom('half a line' as const, 'zeros' as const, 'whole lines' as const) },
      ),
      flips,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('close' as const),
      budgetBytes: fc.constantFrom(smallestBudget, smallestBudget, 393_216, 1_048_576),
    }),
  },
)

// ---- one random life after the other

class World {
  readonly #random: Random
  readonly #model = new RingModel(classes)
  #disk: SimulatedDisk
  #life!: Life
  #budgetBytes = smallestBudget
  /** What may be there at the most from now on. */
  #bytesMax = 0
  /** While others have taken from the reserve: what there was, in this life, since they had. */
  #shortBytes = 0
  /** Whether the life before this one was closed with all of it on the device: then there is nothing for recovery to do. */
  #isClosed = false
  /** The longest record there was, or a segment. */
  #longestBytes = segmentBytes
  #crash: (Extract<Action, { do: 'crash' }> & { atCall: number }) | null = null
  #fails: { operation: Operation; code: string; times: number } | null = null
  /** How often the disk has failed because it was told to. */
  #failures = 0
  /** In this life. */
  #isRemovalRefused = false

  constructor(seed: number) {
    this.#random = randomFrom(seed)
    this.#disk = new SimulatedDisk({ random: this.#random, totalBytes: diskBytes })
  }

  async live(actions: readonly Action[]): Promise<void> {
    await this.#disk.makeDirectory('/state')
    await this.#open()
    for (const action of actions) {
      await this.#unlessCrashed(() => this.#do(action))
      this.#say([])
    }
    await this.#unlessCrashed(() => (this.#crash ? this.#crashNow() : Promise.resolve()))
    await this.#unlessCrashed(() => this.#close())
  }

  /** Does it, or as much of it as comes before the crash that may be due, and then goes on with what is left. */
  async #unlessCrashed(act: () => Promise<void>): Promise<void> {
    const left = await Promise.race([act().then(() => null), this.#disk.crashed])
    if (left) await this.#goOnWith(left)
  }

  async #do(action: Action): Promise<void> {
    switch (action.do) {
      case 'append':
        // A record longer than a segment has one of its own, with room for what opens it and for a gap record.
        this.#longestBytes = Math.max(this.#longestBytes, action.bytes + segmentBytes / 2)
        return this.#append([this.#life.append(action.type, action.bytes, action.durability)], action.wait)
      case 'burst': {
        const each = () => this.#life.append(action.type, action.bytes, 'kernel')
        return this.#append(Array.from({ length: action.count }, each), action.wait)
      }
      case 'advance':
        return this.#advance(action.ms)
      case 'read':
        return this.#read(action.from)
      case 'window':
        return this.#window(action)
      case 'follow':
        return this.#follow(action.from)
      case 'verify':
        return this.#verify()
      case 'fill':
        this.#model.troubled(true)
        this.#disk.othersBytes += Math.max(0, this.#disk.freeBytes - action.freeBytes)
        this.#keepTo(this.#budgetBytes)
        return
      case 'free':
        return this.#free()
      case 'readOnly':
        this.#disk.readOnly = true
        return
      case 'fail':
        this.#fails = { ...action }
        return
      case 'clock':
        this.#life.wallOffsetMs += action.stepMs
        return
      case 'crash':
        if (this.#crash) return this.#crashNow()
        this.#crash = { ...action, atCall: this.#disk.calls + action.after }
        return
      case 'close':
        await this.#close()
        // What was guaranteed of the larger need not fit into the smaller.
        if (action.budgetBytes < this.#budgetBytes) this.#model.troubled(this.#isTroubled)
        this.#budgetBytes = action.budgetBytes
        return this.#open()
    }
  }

  async #append(appended: readonly Promise<number>[], wait: boolean): Promise<void> {
    if (wait) await this.#life.timers.until(Promise.all(appended))
  }

  async #advance(ms: number): Promise<void> {
    const before = { isTroubled: this.#isTroubled, failures: this.#failures }
    await this.#life.timers.advance(ms)
    if (!before.isTroubled && this.#failures === before.failures && ms >= 5_100) this.#model.synced()
  }

  get #isTroubled(): boolean {
    return (
      this.#fails !== null ||
      this.#disk.readOnly ||
      this.#disk.othersBytes > 0 ||
      this.#life.ring.state.mode === 'memory'
    )
  }

  /** Everything heals, and within 5 s the ring has to notice. */
  async #free(): Promise<void> {
    this.#disk.othersBytes = 0
    this.#disk.readOnly = false
    this.#fails = null
    this.#keepTo(this.#budgetBytes)
    await this.#life.timers.advance(5_000)
    this.#model.troubled(false)
    if (this.#life.ring.state.mode !== 'disk') this.#say([`it is still in memory: ${this.#life.ring.state.refusal}`])
  }

  // ---- readers beside the writer

  /** A disk in trouble may fail its readers too, and then what they say is not all. */
  async #read(from: Share): Promise<void> {
    if (this.#isTroubled) return
    await this.#life.timers.advance(20)
    const all = this.#model.parse(await collect(readRing(ringDir, { disk: this.#disk })))
    const fromSeq = Math.round(from * all.lastSeq)
    const some = this.#model.parse(await collect(readRing(ringDir, { disk: this.#disk, fromSeq })))
    const expected = [...all.records.keys()].filter(seq => seq >= fromSeq)
    this.#say([
      ...all.problems,
      ...this.#model.missing(all),
      ...(`${expected}` === `${[...some.records.keys()]}` ? [] : [`from ${fromSeq} on: ${[...some.records.keys()]}`]),
    ])
  }

  async #window({ from, to, types }: Extract<Action, { do: 'window' }>): Promise<void> {
    if (this.#isTroubled) return
    await this.#life.timers.advance(20)
    const all = this.#model.parse(await collect(readRing(ringDir, { disk: this.#disk })))
    const [sinceMs, untilMs] = this.#model.timesBetween(all, from, to)
    const items = await collect(readRing(ringDir, { disk: this.#disk, sinceMs, untilMs, types }))
    const found = this.#model.parse(items)
    const lacking = this.#model.wanted(all, sinceMs, untilMs, types).filter(seq => !found.records.has(seq))
    this.#say([...found.problems, ...lacking.map(seq => `${seq} is not found from ${sinceMs} to ${untilMs}, ${types}`)])
  }

  async #follow(from: Share): Promise<void> {
    if (this.#isTroubled || this.#model.isDamaged) return
    await this.#life.timers.advance(20)
    const { lastSeq } = this.#life.ring.state
    const fromSeq = Math.round(from * lastSeq)
    if (lastSeq === 0) return
    const followed: number[] = []
    // Only a follower that misses the last record is still there then.
    const signal = AbortSignal.timeout(5_000)
    for await (const item of followRing(ringDir, { disk: this.#disk, fromSeq, signal })) {
      if (item.kind === 'record') followed.push(item.seq)
      if (item.kind === 'record' && item.seq >= lastSeq) break
    }
    const read = await collect(readRing(ringDir, { disk: this.#disk, fromSeq }))
    const seqs = read.flatMap(item => (item.kind === 'record' ? [item.seq] : []))
    this.#say(`${seqs}` === `${followed}` ? [] : [`followed from ${fromSeq}: ${followed}, there are ${seqs}`])
  }

  async #verify(): Promise<void> {
    if (this.#isTroubled) return
    await this.#life.timers.advance(20)
    const healths = await collect(verifyRing(ringDir, this.#disk))
    if (!this.#model.isDamaged && !ringIsWhole(healths)) this.#say([`verify: ${JSON.stringify(healths)}`])
    const { bytes, lastSeq } = this.#life.ring.state
    const found = {
      bytes: this.#disk.bytesIn(ringDir),
      lastSeq: (await lastRecords(ringDir, 1, { disk: this.#disk }))[0]?.seq ?? 0,
    }
    if (bytes !== found.bytes || (lastSeq !== found.lastSeq && !this.#model.isDamaged))
      this.#say([
        `there are ${JSON.stringify(found)}, says the disk, and ${JSON.stringify({ bytes, lastSeq })} the ring`,
      ])
  }

  /**
   * A budget, but what is more already need not go at once; and where others leave less than the reserve it must not grow, but
   * for the sealed copy that takes less room than the text it is made of.
   */
  #keepTo(budgetBytes: number): void {
    this.#checkPeak()
    const bytes = this.#disk.bytesIn(ringDir)
    const isShort = this.#disk.freeBytes < 0.05 * diskBytes
    // Others may take still more after it has let some of its own go: it may have that again.
    this.#shortBytes = isShort ? Math.max(this.#shortBytes, bytes) : 0
    this.#bytesMax = isShort ? this.#shortBytes + segmentBytes : Math.max(budgetBytes, bytes)
    this.#disk.forgetPeak()
  }

  #checkPeak(): void {
    const peakBytes = this.#disk.peakBytesIn(ringDir)
    const limitBytes = this.#bytesMax + this.#longestBytes
    if (this.#bytesMax > 0 && peakBytes > limitBytes)
      this.#say([`there were ${peakBytes} bytes, and should be ${limitBytes} at the most`])
  }

  // ---- beginnings and ends

  async #open(): Promise<void> {
    this.#model.budgetBytes = Math.min(this.#model.budgetBytes, this.#budgetBytes)
    this.#bytesMax = 0
    this.#shortBytes = 0
    this.#keepTo(this.#budgetBytes)
    this.#disk.onCall = call => {
      if (this.#crash && call.index >= this.#crash.atCall) return { crash: this.#crash.how, when: this.#crash.when }
      const fails = this.#fails
      if (!fails || fails.operation !== call.operation) return null
      if (--fails.times === 0) this.#fails = null
      this.#failures++
      // What it cannot read a recovery may have to take for lost.
      if (reading.includes(call.operation)) this.#model.confused()
      if (call.operation === 'remove') this.#isRemovalRefused = true
      this.#model.troubled(true)
      return { fails: fails.code }
    }
    this.#life = new Life(this.#disk, this.#model)
    const failures = this.#failures
    const isLeft = this.#isRemovalRefused
    this.#isRemovalRefused = false
    await this.#life.open({ budgetBytes: this.#budgetBytes, classes })
    // A segment that was begun when the disk was full may be empty, and what could not be removed is still there.
    const todo = this.#life.recovery.filter(
      ({ action, reason }) => action !== 'kept' && reason !== 'it is empty' && !(action === 'deleted' && isLeft),
    )
    if (this.#isClosed && this.#failures === failures && todo.length > 0)
      this.#say([`what is left to do: ${JSON.stringify(todo)}`])
    this.#isClosed = false
  }

  async #close(): Promise<void> {
    const { ring } = this.#life
    await this.#life.close()
    this.#say([])
    if (ring.state.mode === 'disk') {
      const told = await this.#told()
      this.#say([...this.#life.miscounted(this.#model.parse(told.items)), ...this.#model.settle(told)])
    }
    this.#isClosed = ring.state.mode === 'disk'
    this.#checkPeak()
  }

  async #settle(): Promise<void> {
    this.#say(this.#model.settle(await this.#told()))
  }

  /** All of it is read, with nothing that disturbs, and from then on the truth. */
  async #told(): Promise<Told> {
    const { onCall } = this.#disk
    this.#disk.onCall = null
    const told = await toldOf(this.#disk)
    this.#disk.onCall = onCall
    return told
  }

  /** What was going on ends there. */
  #crashNow(): Promise<never> {
    this.#disk.crash(this.#crash!.how)
    return new Promise(() => {})
  }

  async #goOnWith(left: SimulatedDisk): Promise<void> {
    const { how, again, tear, flips } = this.#crash!
    // What was answered in the last moment was promised too.
    await new Promise(resolve => setImmediate(resolve))
    this.#life.crashed(how)
    this.#crash = again && {
      do: 'crash',
      when: 'within',
      again: null,
      tear: 'nothing',
      flips: [],
      ...again,
      atCall: again.after,
    }
    this.#disk = left
    this.#isClosed = false
    this.#fails = null
    this.#tear(tear)
    for (const flip of flips) this.#flip(flip)
    if (!this.#model.isDamaged && left.bytesIn(ringDir) > 0) {
      const before = this.#model.parse(await collect(readRing(ringDir, { disk: left })))
      this.#say([...before.problems, ...this.#model.missing(before)].map(problem => `before recovery: ${problem}`))
    }
    await this.#unlessCrashed(async () => {
      await this.#open()
      if (this.#life.ring.state.mode === 'memory') await this.#free()
      await this.#settle()
    })
  }

  #tear(tear: Tear): void {
    const newest = this.#disk.files(ringDir).findLast(({ name }) => name.endsWith('.log'))
    if (tear === 'nothing' || !newest) return
    const path = `${ringDir}/${newest.name}`
    this.#disk.damage(path, Buffer.concat([this.#disk.contentOf(path), Buffer.from(tears[tear])]))
    this.#model.confused()
  }

  /** One bit, and with it the line it is in, the next where it was the newline between them, or all that was compressed together. */
  #flip({ file, at, bit }: Flip): void {
    const files = this.#disk.files(ringDir).filter(({ bytes }) => bytes > 0)
    const flipped = files[Math.floor(file * (files.length - 1))]
    if (!flipped) return
    const path = `${ringDir}/${flipped.name}`
    const bytes = this.#disk.contentOf(path)
    const position = Math.floor(at * (bytes.length - 1))
    const found = grep(this.#disk, ringDir)
    const hit = linesIn(bytes, flipped.name, position)
    this.#model.damaged(hit, found)
    bytes[position]! ^= 1 << bit
    this.#disk.damage(path, bytes)
  }

  #say(problems: readonly string[]): void {
    const all = [...problems, ...this.#life.problems.splice(0)]
    if (all.length > 0) throw new Error(all.slice(0, 20).join('\n'))
  }
}

/** The numbers of the records that a damaged byte may cost. */
function linesIn(bytes: Buffer, name: string, position: number): number[] {
  if (name.endsWith('.ndjson.gz')) return seqsIn(unzipped(bytes))
  const start = bytes.subarray(0, position).lastIndexOf(0x0a) + 1
  const end = bytes.indexOf(0x0a, position + 1)
  return seqsIn(bytes.toString('latin1', start, end === -1 ? bytes.length : end))
}

const seqsIn = (text: string): number[] => [...text.matchAll(/\{"seq":(\d+)/g)].map(([, seq]) => Number(seq))

/** As they were when they had been made as short as they could. */
const lives: readonly Readonly<{ why: string; seed: number; actions: readonly Action[] }>[] = readFileSync(
  'test/fixtures/ring-lives.ndjson',
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map(line => JSON.parse(line))

for (const { why, seed, actions } of lives)
  t.test(`a life that ended badly once: ${why}`, async () => new World(seed).live(actions))

t.test('model and ring agree, whatever happens to the machine in whichever order', async t => {
  const path = process.env.HUBREC_TEST_PATH
  t.comment(seedSaid)
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(action, { maxLength: actionsMax, size: 'max' }), (seed, actions) =>
      new World(seed).live(actions),
    ),
    { seed, numRuns: runs, ...(path ? { path } : {}) },
  )
})
