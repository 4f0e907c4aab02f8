/** pino as its documentation has it for those who want it fast: 4,096 bytes are gathered, then written beside the program. */
import type { Contender } from '../contender.js'
import { loadPino } from '../peers.js'
import { openPino, withoutLevel } from './pino.js'

export const pinoAsync: Contender = {
  name: 'pino-async',
  title: 'pino async',
  measures: ['throughput', 'latency', 'storm', 'trickle', 'memory'],
  shape: withoutLevel,
  load: loadPino,
  open: place => openPino(place, { sync: false, minLength: 4_096 }),
}
