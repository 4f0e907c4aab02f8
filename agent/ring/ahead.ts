/**
 * What is needed next is fetched while the first is looked at: most of the time of a reader that waits for one thing after
 * another is waiting.
 */
import { toldAlready } from './disk.js'

/** As many at once as there are threads to read with. */
export const aheadMax = 4

/** The results in the order of the items. What fails does so in its turn, and nothing after it was begun for nothing. */
export async function* ahead<T, R>(items: Iterable<T>, work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  for (const item of items) {
    const working = work(item)
    // Whoever stops early never hears of it.
    working.catch(toldAlready)
    begun.push(working)
    if (begun.length === aheadMax) yield begun.shift()!
  }
  for (const working of begun) yield working
}
