import { wholeNumber } from '../check.js'
import type { TwinProperty } from '../property.js'

export const sampleInterval: TwinProperty<number> = {
  name: 'sampleIntervalSeconds',
  check: wholeNumber(1, 86_400),
  standard: ({ samples }) => samples.intervalSeconds,
  apply: (seconds, { setSampleInterval }) => setSampleInterval(seconds * 1e3),
}
