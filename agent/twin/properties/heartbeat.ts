/** `0` switches it off, also where the configuration has switched it on. */
import { wholeNumber } from '../check.js'
import type { TwinProperty } from '../property.js'

export const heartbeat: TwinProperty<number> = {
  name: 'heartbeatMinutes',
  check: wholeNumber(0, 1440),
  standard: ({ messages }) => messages.heartbeatMinutes ?? 0,
  apply: (minutes, { setHeartbeat }) => setHeartbeat(minutes * 60_000),
}
