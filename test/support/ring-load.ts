/**
 * The records of a writer that is there to be killed. Each is known by its id alone, so that whoever finds one afterwards can
 * tell whether it is what was written, byte for byte.
 */
import type { Durability, RingClass } from '../../agent/ring/ring.js'
import { randomFrom } from './campaign.js'
import { stamp } from './ring-records.js'

/** The smallest there is: a new segment every 16 KiB. */
export const budgetBytes = 262_144

/** An eighth of the budget for what is one record in 97, so that nothing else can explain why they are still there. */
export const classes: readonly RingClass[] = [{ types: ['episode'], share: 1 / 8 }]

export const isProtected = (id: number): boolean => id % 97 === 0

/** @param diskEvery of how many records one is to be on the device */
export const durabilityOf = (id: number, diskEvery: number): Durability => (id % diskEvery === 0 ? 'disk' : 'kernel')

export const loadJson = (id: number): string =>
  JSON.stringify({
    ...stamp(),
    level: 30,
    type: isProtected(id) ? 'episode' : 'log',
    conn: null,
    inc: null,
    data: { id, msg: text(id, sizeOf(id)) },
  })

/** Small ones mostly, some of a few KiB, now and then one longer than a segment. */
const sizeOf = (id: number): number => (id % 1_009 === 0 ? 20_000 : id % 13 === 0 ? 3_000 : (id * 7) % 400)

const words = 'sas token renewed ping answered after ms retry in attempt closed by peer reset tls alert dns took'.split(
  ' ',
)

/** It compresses to a fourth or so, as real records do. */
function text(id: number, bytes: number): string {
  const random = randomFrom(id)
  let said = ''
  while (said.length < bytes) said += `${words[Math.floor(random() * words.length)]} ${Math.floor(random() * 1_000)} `
  return said.slice(0, bytes)
}
