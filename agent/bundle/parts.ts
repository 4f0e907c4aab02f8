/** Every entry of a bundle but the manifest: what fades first, then the report, which a person opens first, then the rest. */
import type { Part } from './part.js'
import { config } from './parts/config.js'
import { doctor } from './parts/doctor.js'
import { episodes } from './parts/episodes.js'
import { records } from './parts/records.js'
import { reportInJson, reportPage } from './parts/report.js'
import { routes } from './parts/routes.js'
import { samples } from './parts/samples.js'
import { sockets } from './parts/sockets.js'
import { state } from './parts/state.js'
import { system } from './parts/system.js'

/** `samples` comes after `records`, which tell it its columns. */
export const parts: readonly Part[] = [
  state,
  sockets,
  routes,
  reportPage,
  reportInJson,
  doctor,
  system,
  episodes,
  records,
  samples,
  config,
]
