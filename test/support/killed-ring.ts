/**
 * A ring whose writers are killed one after the other, and all that is known of it from what they said and what was found. It
 * runs in workers of its own, without the test runner, whose watch over every promise costs as much as the looking.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { verifyRing } from '../../agent/ring/verify.js'
import { randomFrom } from './campaign.js'
import { DyingWriter } from './dying-writer.js'
import { budgetBytes, classes, isProtected, loadJson } from './ring-load.js'
import { collect, stamp, type WriterGap, withSeq } from './ring-records.js'

/** A directory that is to be made, and how many rounds with a promise in them it is for. */
export type Campaign = Readonly<{ dir: string; rounds: number; seed: number }>

export type Outcome = Readonly<{
  counted: number
  uncounted: number
  /** How many were promised. */
  records: number
  ends: Readonly<{ packing: number; unsealed: number }>
  problems: readonly string[]
  /** In words. */
  there: string
}>

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)

class KilledRing {
  readonly #dir: string
  /** Number and id of what was promised, as far as no gap record says that it went. */
  readonly #promised = new Map<number, number>()
  /** What was there at the last look, by number. */
  #known = new Map<number, string>()
  /** Every gap record that was ever seen, by number: they go like others. */
  readonly #gaps = new Map<number, WriterGap>()
  /** Of every protected record that was ever seen or promised: how long its JSON is. */
  readonly #protectedBytes = new Map<number, number>()
  /** The greatest number that was seen at the last look, and that was seen or promised ever. */
  #seenTo = 0
  #greatest = 0
  #nextId = 1
  /** Rounds that ended while a segment was sealed or thinned, and while a full one waited for that. */
  readonly ends = { packing: 0, unsealed: 0 }

  /** @param dir made here: a writer that dies at once may not come to it */
  constructor(dir: string) {
    this.#dir = dir
    mkdirSync(dir)
  }

  /** @returns how many records were promised, and what is wrong afterwards */
  async round(random: () => number): Promise<{ promised: number; problems: string[] }> {
    const writer = new DyingWriter('ring-writer.js', this.#dir, `${this.#nextId}`, '17')
    this.#nextId += 1_000_000
    // Most die while they write; some before they could, in the middle of what recovery does.
    if (random() < 1 / 8) await delay(20 + random() * 60)
    else {
      await writer.spoke
      await delay(random() * 40)
    }
    const said = await writer.kill()
    const names = readdirSync(this.#dir)
    if (names.some(name => name.endsWith('.tmp'))) this.ends.packing++
    if (names.filter(name => name.endsWith('.log')).length > 1) this.ends.unsealed++
    const problems: string[] = []
    const before = this.#greatest
    for (const [seq = 0, id = 0] of said) {
      if (seq === 0) problems.push(`${id} was answered with 0`)
      else if (seq <= before || this.#promised.has(seq)) problems.push(`${seq} was given twice, now to ${id}`)
      this.#promised.set(seq, id)
      if (isProtected(id)) this.#protectedBytes.set(seq, loadJson(id).length)
      this.#greatest = Math.max(this.#greatest, seq)
    }
    return { promised: said.length, problems: [...problems, ...(await this.#look())] }
  }

  /** Opens it once more. @returns what is wrong, also with the sum of all it ever said to be lost */
  async end(): Promise<string[]> {
    const { ring } = await openRing({ dir: this.#dir, budgetBytes, stamp, classes })
    const problems: string[] = []
    // As much as makes the ring do what was said to be gone, and was not yet when the last writer died.
    for (let id = this.#nextId; id < this.#nextId + 200; id++) {
      const seq = await ring.append(loadJson(id), id % 50 === 0 ? 'disk' : 'kernel')
      if (seq <= this.#greatest) problems.push(`${seq} was given after ${this.#greatest}`)
      this.#greatest = seq
    }
    await ring.close()
    problems.push(...(await this.#look()))
    const said = this.#saidLost()
    const gone = this.#greatest - this.#known.size
    if (said !== gone) problems.push(`gap records speak of ${said} records; ${gone} are gone`)
    return problems
  }

  /**
   * All that gap records ever said, added up. One that came and went within a single round, because that was a long one, was
   * never seen: what is gone and nobody spoke of counts as said by it, as long as others speak of what is newer.
   */
  #saidLost(): number {
    const gaps = [...this.#gaps.values()]
    const goneTo = Math.max(0, ...gaps.map(({ toSeq }) => toSeq ?? 0))
    const spoken = new Set(gaps.flatMap(({ fromSeq, toSeq }) => range(fromSeq ?? 1, toSeq ?? 0)))
    const unseen = range(1, goneTo).filter(seq => !spoken.has(seq) && !this.#known.has(seq))
    return gaps.reduce((sum, { count }) => sum + count, unseen.length)
  }

  get there(): string {
    const episodes = [...this.#known.values()].filter(json => json.includes('"type":"episode"')).length
    return `${this.#known.size} of ${this.#greatest} records are there, ${episodes} of them protected`
  }

  /** Everything that is wrong, as a reader sees it who comes before the next writer. */
  async #look(): Promise<string[]> {
    const problems: string[] = []
    const known = new Map<number, string>()
    const jumps: { fromSeq: number; toSeq: number }[] = []
    let expected = 1
    for await (const item of readRing(this.#dir)) {
      if (item.kind === 'gap') {
        problems.push(`a reader infers ${JSON.stringify(item)}`)
        continue
      }
      const { seq, json } = item
      if (seq < expected) problems.push(`${seq} comes after ${expected - 1}`)
      if (seq > expected) jumps.push({ fromSeq: expected, toSeq: seq - 1 })
      expected = seq + 1
      known.set(seq, json)
      if (this.#known.get(seq) !== json) problems.push(...this.#unknown(seq, json))
    }
    const before = this.#known
    this.#known = known
    this.#seenTo = expected - 1
    this.#greatest = Math.max(this.#greatest, this.#seenTo)

    const goneTo = Math.max(0, ...[...this.#gaps.values()].map(({ toSeq }) => toSeq ?? 0))
    for (const { fromSeq, toSeq } of jumps)
      if (toSeq > goneTo) problems.push(`${fromSeq} to ${toSeq} are missing; what went by overflow ends with ${goneTo}`)
    for (const [seq, id] of this.#promised) {
      const json = known.get(seq)
      // What has not changed was right before.
      const isRight = json === undefined || json === before.get(seq) || json === withSeq(seq, loadJson(id))
      if (!isRight) problems.push(`${id} was promised as ${seq}: ${json}`)
      if (json === undefined && seq > goneTo) problems.push(`${id} was promised as ${seq}, and is not there`)
      if (json === undefined) this.#promised.delete(seq)
    }
    problems.push(...this.#unprotected())

    const damaged = (await collect(verifyRing(this.#dir))).filter(({ status }) => status === 'damaged')
    if (damaged.length > 0) problems.push(`verify calls damaged: ${JSON.stringify(damaged)}`)
    const bytes = readdirSync(this.#dir).reduce((sum, name) => sum + statSync(join(this.#dir, name)).size, 0)
    if (bytes > budgetBytes) problems.push(`${bytes} bytes`)
    return problems
  }

  /** A record that was not there before must be one that was written since, or the ring's own. */
  #unknown(seq: number, json: string): string[] {
    if (seq <= this.#seenTo) return [`${seq} was ${this.#known.get(seq)} and is ${json}`]
    const { type, data } = JSON.parse(json)
    if (type === 'context') return []
    if (type === 'gap') {
      this.#gaps.set(seq, data)
      return data.reason === 'overflow' ? [] : [`lost: ${json}`]
    }
    if (isProtected(data.id)) this.#protectedBytes.set(seq, loadJson(data.id).length)
    return json === withSeq(seq, loadJson(data.id)) ? [] : [`nobody wrote ${json}`]
  }

  /** Protected records that are gone although those that are newer did not fill the share. */
  #unprotected(): string[] {
    const problems: string[] = []
    const shareBytes = budgetBytes * classes[0]!.share
    let newerBytes = 0
    for (const [seq, bytes] of [...this.#protectedBytes].sort(([a], [b]) => b - a)) {
      const isThere = this.#known.has(seq)
      if (!isThere && newerBytes < shareBytes)
        problems.push(`protected record ${seq} is gone, with ${newerBytes} bytes of newer ones`)
      if (!isThere || newerBytes >= shareBytes) this.#protectedBytes.delete(seq)
      newerBytes += bytes
    }
    return problems
  }
}

async function run({ dir, rounds, seed }: Campaign): Promise<Outcome> {
  const random = randomFrom(seed)
  const ring = new KilledRing(dir)
  const problems: string[] = []
  let [counted, uncounted, records] = [0, 0, 0]
  while (counted < rounds && problems.length < 10) {
    // A writer that ends by itself says why on its standard error, and is a problem like others.
    const found = await ring.round(random).catch(error => ({ promised: 0, problems: [String(error)] }))
    problems.push(...found.problems.map(problem => `round ${counted}: ${problem}`.slice(0, 400)))
    records += found.promised
    if (found.promised > 0) counted++
    else uncounted++
  }
  problems.push(...(await ring.end()).map(problem => `at the end: ${problem}`.slice(0, 400)))
  return { counted, uncounted, records, ends: ring.ends, problems, there: ring.there }
}

parentPort?.on('message', (campaign: Campaign) => void run(campaign).then(outcome => parentPort?.postMessage(outcome)))
