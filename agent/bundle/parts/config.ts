/** `config.json`: the configuration, which holds the places of secrets and never a secret. */
import type { Part } from '../part.js'

export const config: Part = {
  name: 'config.json',
  timeLimitMs: 5_000,
  async *content({ config, json }) {
    yield `${JSON.stringify(JSON.parse(json(config)), null, 2)}\n`
  },
}
