/** `GetStatus`: what `hubrec status --json` prints. */
import type { Method } from './method.js'
import { readNothing } from './payloads.js'

export const getStatus: Method = {
  name: 'GetStatus',
  async answer(payload, { status }) {
    readNothing(payload)
    return { status: 200, payload: await status() }
  },
}
