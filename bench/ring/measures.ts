/** Everything that is measured, in the order of the table. */
import type { Measure } from './measure.js'
import { storm, trickle } from './measures/device.js'
import { exporting } from './measures/export.js'
import { kept } from './measures/kept.js'
import { latency } from './measures/latency.js'
import { memory } from './measures/memory.js'
import { opening } from './measures/open.js'
import { reading } from './measures/read.js'
import { throughput } from './measures/throughput.js'

export const measures: readonly Measure[] = [
  throughput,
  latency,
  kept,
  storm,
  trickle,
  opening,
  reading,
  exporting,
  memory,
]
