/** `doctor.json`: what `hubrec doctor` finds at the moment at which the bundle is made. */
import type { Part } from '../part.js'

export const doctor: Part = {
  name: 'doctor.json',
  timeLimitMs: 40_000,
  async *content({ doctor, json, signal }) {
    yield `${JSON.stringify(JSON.parse(json(await doctor(signal))), null, 2)}\n`
  },
}
