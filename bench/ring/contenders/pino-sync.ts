/** pino as it is without any setting: each record is a write that is waited for. */
import type { Contender } from '../contender.js'
import { loadPino } from '../peers.js'
import { openPino, withoutLevel } from './pino.js'

export const pinoSync: Contender = {
  name: 'pino-sync',
  title: 'pino sync',
  measures: ['throughput', 'latency', 'memory'],
  shape: withoutLevel,
  load: loadPino,
  open: place => openPino(place, { sync: true, minLength: 0 }),
}
