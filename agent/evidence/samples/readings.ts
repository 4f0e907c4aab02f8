/** Every reading of a sample, in the order a person looks: the link first, the host after. */
import { accessPoints } from './access-points.js'
import { clock } from './clock.js'
import { disk } from './disk.js'
import { eventLoop } from './event-loop.js'
import { interfaces, traffic } from './interfaces.js'
import { load } from './load.js'
import { memory } from './memory.js'
import { power } from './power.js'
import { pressure } from './pressure.js'
import type { Reading } from './reading.js'
import { resolvers } from './resolvers.js'
import { routes } from './routes.js'
import { tcp } from './tcp.js'
import { temperature } from './temperature.js'

export const readings: readonly Reading[] = [
  interfaces,
  accessPoints,
  routes,
  resolvers,
  tcp,
  memory,
  pressure,
  load,
  disk,
  temperature,
  power,
  eventLoop,
  clock,
]

/** What may be asked every second: eight small files, and what changes when a link or a process dies. */
export const readingsEachSecond: readonly Reading[] = [traffic, routes, memory, load]
