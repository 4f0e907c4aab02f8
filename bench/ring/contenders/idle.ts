/** Nobody: takes every record and does nothing, so that what the bench and the file system need by themselves is known. */
import type { Contender } from '../contender.js'

export const idle: Contender = {
  name: 'idle',
  title: 'nobody',
  measures: ['throughput', 'storm', 'trickle', 'memory'],
  open: async () => ({ append() {}, async handedOver() {}, async close() {} }),
}
