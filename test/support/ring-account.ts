/** What became of records that were appended while the disk was in trouble: those that are there, and what is said of the others. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { followRing } from '../../agent/ring/read.js'
import { contentOf } from './ring-records.js'

export type Account = Readonly<{
  /** Of the ids from 1 on that were appended, how many are not there. */
  lost: number
  /** How many of them gap records speak of: those that never got a number, and those that had one and went by overflow. */
  said: number
  /** Whatever cannot be. */
  problems: readonly string[]
  /** For each reason in gap records, in order. */
  reasons: readonly string[]
}>

/** @param promised number and id */
export async function accountOf(
  dir: string,
  appended: number,
  promised: ReadonlyMap<number, number>,
): Promise<Account> {
  const { ids, gaps, inferred } = await contentOf(dir)
  const found = [...ids.values()].filter(id => id !== undefined)
  const problems: string[] = []
  if (inferred.length > 0) problems.push(`a reader infers ${JSON.stringify(inferred)}`)
  if (found.some((id, index) => id <= (found[index - 1] ?? 0))) problems.push(`out of order, or twice: ${found}`)

  const goneTo = Math.max(0, ...gaps.map(({ reason, toSeq }) => (reason === 'overflow' ? (toSeq ?? 0) : 0)))
  let said = gaps.reduce((sum, { count, fromSeq }) => sum + (fromSeq === null ? count : 0), 0)
  for (const [seq, id] of promised) {
    if (ids.get(seq) === id) continue
    if (seq <= goneTo && !ids.has(seq)) said++
    else problems.push(`${id} was promised as ${seq}; there is ${ids.get(seq)}`)
  }
  return { lost: appended - found.length, said, problems, reasons: [...new Set(gaps.map(({ reason }) => reason))] }
}

/** All files of a ring together. */
export const bytesOf = (dir: string): number =>
  readdirSync(dir).reduce((sum, name) => sum + (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0), 0)

/** Resolves when a reader sees the record. @returns how long that took */
export async function isThere(dir: string, id: number): Promise<number> {
  const beganMs = performance.now()
  for await (const item of followRing(dir, { fromSeq: 1 }))
    if (item.kind === 'record' && JSON.parse(item.json).data.id === id) break
  return performance.now() - beganMs
}
