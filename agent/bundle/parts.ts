/** Every entry of a bundle but the manifest, in the order in which their truth fades. */
import type { Part } from './part.js'
import { config } from './parts/config.js'
import { doctor } from './parts/doctor.js'
import { episodes } from './parts/episodes.js'
import { records } from './parts/records.js'
import { samples } from './parts/samples.js'
import { system } from './parts/system.js'

/** `samples` comes after `records`, which tell it its columns. */
export const parts: readonly Part[] = [doctor, system, episodes, records, samples, config]
