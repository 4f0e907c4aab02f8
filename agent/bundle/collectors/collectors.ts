/** Every collector, in the order in which the truth of what they gather fades. */
import type { Collector } from './collector.js'
import { commands } from './commands.js'
import { edgeModules } from './edge-modules.js'
import { files } from './files.js'
import { journal } from './journal.js'

export const collectors: readonly Collector[] = [commands, journal, edgeModules, files]
