/** `state.json`: where the connection stood when the bundle was asked for, from whoever holds it. */
import type { Part } from '../part.js'

export const state: Part = {
  name: 'state.json',
  timeLimitMs: 100,
  fades: true,
  async *content({ state, json, signal }) {
    yield `${JSON.stringify(JSON.parse(json(await state(signal))), null, 2)}\n`
  },
}
