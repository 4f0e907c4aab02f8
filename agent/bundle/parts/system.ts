/** `system.json`: what the host is. */
import type { Part } from '../part.js'

export const system: Part = {
  name: 'system.json',
  timeLimitMs: 30_000,
  async *content({ inventory, json, plantedSecret, signal }) {
    const found = await inventory(signal)
    const tested = { selfTest: `The self-test says ${plantedSecret}`, inventory: found }
    yield `${JSON.stringify(JSON.parse(json(tested)), null, 2)}\n`
  },
}
