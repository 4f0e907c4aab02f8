/** `RunDoctor`: what `hubrec doctor --json` prints, asked from inside the recorder. */
import type { Method } from './method.js'
import { readNothing } from './payloads.js'

export const runDoctor: Method = {
  name: 'RunDoctor',
  async answer(payload, { doctor }) {
    readNothing(payload)
    return { status: 200, payload: await doctor() }
  },
}
