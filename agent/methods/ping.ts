/** `ping`: is anybody there, whatever else is said. */
import type { Method } from './method.js'

export const ping: Method = {
  name: 'ping',
  answer: async () => ({ status: 200 }),
}
