/** For the readings that samples are made of: what they ask of the host, doctor asks too. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ReadingContext } from '../evidence/samples/reading.js'
import type { Facts } from './facts.js'

export function readingContext({ roots, clock }: Facts, stateDir = '/'): ReadingContext {
  return { ...roots, stateDir, clock, eventLoop: monitorEventLoopDelay() }
}
