/** Frames of rhea itself: the frequent ones are counted, every other one is read, however the bytes are cut. */
import fc from 'fast-check'
import rhea from 'rhea'
import frames from 'rhea/lib/frames.js'
import t from 'tap'
import { createSieve } from '../../../transports/recorded/amqp-sieve.js'

type Frames = {
  [name: string]: (fields: object, payload?: Buffer) => object
}
const make = frames as unknown as Frames & {
  write_frame(frame: object): Buffer
  header?: unknown
}

const bytesOf = (name: string, fields: object, payload?: Buffer): Buffer => {
  const frame = make[name]!(fields) as { payload?: Buffer }
  return make.write_frame({ channel: 0, type: 0, performative: frame, ...(payload ? { payload } : {}) })
}

const header = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0])
const { message } = rhea as unknown as {
  message: { accepted(): { described(): unknown }; rejected(error: object): { described(): unknown } }
}
const accepted = message.accepted().described()
const rejected = message.rejected({ error: { condition: 'amqp:not-allowed' } }).described()

/** The frames, and what is to become of each. */
const scene: readonly (readonly [bytes: Buffer, fate: string])[] = [
  [header, 'read'],
  [bytesOf('open', { container_id: 'x', hostname: 'y' }), 'read'],
  [
    bytesOf('transfer', { handle: 0, delivery_id: 0, delivery_tag: Buffer.from('0') }, Buffer.from('a token')),
    'transfer 0',
  ],
  [
    bytesOf('transfer', { handle: 7, delivery_id: 1, delivery_tag: Buffer.from('1') }, Buffer.alloc(300, 'x')),
    'transfer 7',
  ],
  [bytesOf('transfer', { handle: 1_000, delivery_id: 300 }, Buffer.from('x')), 'transfer 1000'],
  [bytesOf('disposition', { role: true, first: 3, last: 5, settled: true, state: accepted }), 'accepted 3'],
  [bytesOf('disposition', { role: true, first: 3_000, settled: true, state: accepted }), 'accepted 1'],
  [bytesOf('disposition', { role: false, first: 0, last: 9, settled: true, state: accepted }), 'passed over'],
  [bytesOf('disposition', { role: true, first: 3, last: 3, settled: true, state: rejected }), 'read'],
  [bytesOf('detach', { handle: 7, closed: true }), 'read'],
  [bytesOf('close', {}), 'read'],
]

const sift = (pieces: readonly Buffer[]): { read: Buffer; told: string[] } => {
  const read: Buffer[] = []
  const told: string[] = []
  const see = createSieve({
    read: bytes => void read.push(bytes),
    transfer(handle) {
      told.push(`transfer ${handle}`)
      return handle === 0
    },
    accepted: count => void told.push(`accepted ${count}`),
  })
  for (const piece of pieces) see(piece)
  return { read: Buffer.concat(read), told }
}

const expected = {
  read: Buffer.concat(scene.filter(([, fate]) => fate === 'read' || fate === 'transfer 0').map(([bytes]) => bytes)),
  told: scene.map(([, fate]) => fate).filter(fate => fate !== 'read' && fate !== 'passed over'),
}

t.test('each frame has its fate', async t => {
  t.strictSame(sift(scene.map(([bytes]) => bytes)), expected)
})

t.test('however the bytes are cut', async t => {
  const all = Buffer.concat(scene.map(([bytes]) => bytes))
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }), sizes => {
      const pieces: Buffer[] = []
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1
        pieces.push(all.subarray(at, at + size))
        at += size
      }
      t.strictSame(sift(pieces), expected)
    }),
    { numRuns: 200 },
  )
})

t.test('what is no AMQP is handed on as it is', async t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }), chunks => {
      const pieces = [Buffer.from('HTTP/1.1'), ...chunks.map(chunk => Buffer.from(chunk))]
      t.strictSame(sift(pieces).read, Buffer.concat(pieces))
    }),
    { numRuns: 100 },
  )
  const broken = Buffer.concat([header, Buffer.from([0, 0, 0, 1, 9, 9])])
  t.strictSame(sift([broken]).read, broken, 'and a frame that is none, for its reader to say so')
})
