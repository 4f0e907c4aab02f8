/**
 * `kill -9` of a real process at random moments while it starts, writes, rotates, seals and deletes. Whatever it was promised,
 * and had told us, must be there afterwards or be named by a gap record, and the next process must be able to go on.
 *
 * `RING_KILL_ROUNDS` sets how many rounds count.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { withSeq } from '../../agent/ring/line.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { verifyRing } from '../../agent/ring/verify.js'
import { countOf, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { DyingWriter } from '../support/dying-writer.js'
import { budgetBytes, classes, isProtected, loadJson } from '../support/ring-load.js'
import { collect, stamp, type WriterGap } from '../support/ring-records.js'

const rounds = countOf('RING_KILL_ROUNDS', { slice: 1_000, long: 10_000 })
const lanes = 4

// Some 50 ms a round on two idle cores, and tests seldom have them for themselves.
t.setTimeout(60_000 + rounds * 600)

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)

/** What one ring has been through. */
class Lane {
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

  get numbers(): string {
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
    this.#known = known
    this.#seenTo = expected - 1
    this.#greatest = Math.max(this.#greatest, this.#seenTo)

    const goneTo = Math.max(0, ...[...this.#gaps.values()].map(({ toSeq }) => toSeq ?? 0))
    for (const { fromSeq, toSeq } of jumps)
      if (toSeq > goneTo) problems.push(`${fromSeq} to ${toSeq} are missing; what went by overflow ends with ${goneTo}`)
    for (const [seq, id] of this.#promised) {
      const json = known.get(seq)
      if (json !== undefined && json !== withSeq(seq, loadJson(id)))
        problems.push(`${id} was promised as ${seq}: ${json}`)
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

t.test(`${rounds} times killed: nothing that was promised is missing, and the next one goes on`, async t => {
  const random = randomFrom(seed)
  t.comment(seedSaid)
  t.testdir()
  const problems: string[] = []
  let counted = 0
  let uncounted = 0
  let records = 0

  const run = async (number: number): Promise<void> => {
    const lane = new Lane(join(t.testdirName, `lane-${number}`))
    while (counted < rounds && problems.length < 20) {
      // A writer that ends by itself says why on its standard error, and is a problem like others.
      const found = await lane.round(random).catch(error => ({ promised: 0, problems: [String(error)] }))
      problems.push(...found.problems.map(problem => `lane ${number}, round ${counted}: ${problem}`))
      records += found.promised
      if (found.promised > 0) counted++
      else uncounted++
    }
    problems.push(...(await lane.end()).map(problem => `lane ${number}, at the end: ${problem}`))
    t.comment(`lane ${number}: ${lane.numbers}`)
  }
  await Promise.all(Array.from({ length: lanes }, (_, number) => run(number)))

  t.comment(`${counted} rounds with ${records} records promised; ${uncounted} rounds without, which do not count`)
  t.strictSame(
    problems.map(problem => problem.slice(0, 400)),
    [],
  )
  t.ok(counted >= rounds)
})
