/** The samplers as parts of the daemon: what they take becomes records, and their pace is that of everything done now and then. */
import type { Clock } from '../transports/clock.js'
import type { Config } from './config/config.js'
import { clockChanges } from './evidence/clock-watch.js'
import { levels } from './evidence/record.js'
import { runSampler, type Sample, type SamplerOptions } from './evidence/sampler.js'
import type { ClockSnapshot } from './evidence/samples/clock.js'
import { readingsEachSecond } from './evidence/samples/readings.js'
import type { Pipeline } from './pipeline.js'
import type { Recall } from './recall/recall.js'
import type { Part } from './run-together.js'

export function samplerPart(
  config: Config,
  records: Pipeline,
  clock: Clock,
  onClock: (snapshot: ClockSnapshot) => void,
  onTick: () => void,
  asks: Pick<SamplerOptions, 'intervalMs' | 'wanted' | 'hubAddress'>,
): Part {
  let before = clock.now()
  const record = (sample: Sample): void => {
    const now = clock.now()
    for (const change of clockChanges(before, now)) void records.record('clock', change, levels.warn)
    before = now
    if (sample.clock) onClock(sample.clock as ClockSnapshot)
    void records.record('sample', sample, levels.debug)
    onTick()
  }
  const { stateDir } = config
  return { name: 'sampler', run: signal => runSampler({ stateDir, clock, record, signal, ...asks }) }
}

/** Samples for the verbose file. */
export function secondsPart({ stateDir }: Config, verbose: Recall, clock: Clock): Part {
  const record = (sample: Sample): void => verbose.note('sample', sample)
  const options = { intervalMs: 1_000, stateDir, clock, record, readings: readingsEachSecond }
  return { name: 'seconds', run: signal => runSampler({ ...options, signal }) }
}

/** Writes the counts of open outages once a minute. */
export function counter(records: Pipeline, clock: Clock): () => void {
  let countedMs = clock.now().bootMs
  return () => {
    const nowMs = clock.now().bootMs
    if (nowMs - countedMs < countsEveryMs) return
    countedMs = nowMs
    for (const each of records.connections()) void records.writeCounts(each)
  }
}

const countsEveryMs = 60_000
