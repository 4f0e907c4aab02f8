/** A reading that takes a process of its own is asked once a minute and not at each sample. */
import type { Reading, ReadingContext } from './reading.js'

const everyMs = 60_000

/** @returns a reading that is `null` in the samples between, and asks nothing for them */
export function seldom(name: string, ask: (context: ReadingContext) => Promise<object | null>): Reading {
  /** Of each sampler by itself. */
  const askedMs = new WeakMap<ReadingContext, number>()
  return {
    name,
    async read(context) {
      const { bootMs } = context.clock.now()
      const before = askedMs.get(context)
      if (before !== undefined && bootMs - before < everyMs) return null
      askedMs.set(context, bootMs)
      return ask(context)
    },
  }
}
