/** Frames are read whole however the bytes are cut, and what is no frame ends the reading and nothing else. */
import fc from 'fast-check'
import rhea from 'rhea'
import frames from 'rhea/lib/frames.js'
import terminus from 'rhea/lib/terminus.js'
import t from 'tap'
import { type AmqpFrame, createFrameReader, readCbsReply } from '../../transports/amqp-frames.js'

const header = Buffer.from('AMQP\0\x01\0\0', 'latin1')

const frame = (channel: number, performative?: object, payload?: Buffer): Buffer =>
  frames.write_frame(frames.amqp_frame(channel, performative, payload))

const { message } = rhea
type Described = { described(): object }
const outcome = (name: 'accepted' | 'rejected' | 'released', fields: object = {}): object =>
  (message as unknown as Record<string, (fields: object) => Described>)[name]!(fields).described()

function read(bytes: Buffer, cuts: readonly number[] = []): { told: AmqpFrame[]; broken: string[] } {
  const told: AmqpFrame[] = []
  const broken: string[] = []
  const take = createFrameReader(
    each => told.push(each),
    error => broken.push(error.message),
  )
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  for (const [index, from] of edges.slice(0, -1).entries()) take(bytes.subarray(from, edges[index + 1]))
  return { told, broken }
}

const error = { condition: 'amqp:link:stolen', description: 'by another' }
const source = terminus.source({ address: '/devices/d/methods/devicebound' }).described()
const target = terminus.target({ address: '$cbs' }).described()

const story = [
  frame(0, frames.open({ container_id: 'c', hostname: 'hub', idle_time_out: 60_000 })),
  frame(0, frames.begin({ next_outgoing_id: 0, incoming_window: 1, outgoing_window: 1 })),
  frame(1, frames.attach({ name: 'ours', handle: 3, role: false, target })),
  frame(1, frames.attach({ name: 'theirs', handle: 4, role: true, source })),
  frame(1, frames.flow({ incoming_window: 1, next_outgoing_id: 0, outgoing_window: 1, handle: 3, link_credit: 50 })),
  frame(1, frames.transfer({ handle: 3, delivery_id: 7, delivery_tag: Buffer.from('t') }), Buffer.from('a payload')),
  frame(1, frames.disposition({ role: true, first: 7, settled: true, state: outcome('rejected', { error }) })),
  frame(1, frames.disposition({ role: true, first: 8, last: 9, settled: true, state: outcome('released') })),
  frame(0),
  frame(1, frames.detach({ handle: 4, closed: true, error })),
  frame(1, frames.end({})),
  frame(0, frames.close({ error: { condition: 'amqp:connection:forced' } })),
]
const whole = Buffer.concat([header, ...story])

t.test('each frame is told with what is asked of it', async t => {
  const bytes = (index: number): number => story[index]!.length
  const { told, broken } = read(whole)
  t.strictSame(broken, [])
  t.strictSame(
    told.map(({ bytes: _bytes, ...rest }) => rest),
    [
      { channel: 0, name: 'open' },
      { channel: 0, name: 'begin' },
      {
        channel: 1,
        name: 'attach',
        handle: 3,
        link: 'ours',
        role: 'sender',
        source: null,
        target: { address: '$cbs' },
      },
      {
        channel: 1,
        name: 'attach',
        handle: 4,
        link: 'theirs',
        role: 'receiver',
        source: { address: '/devices/d/methods/devicebound' },
        target: null,
      },
      { channel: 1, name: 'flow', handle: 3, echo: false },
      {
        channel: 1,
        name: 'transfer',
        handle: 3,
        deliveryId: 7,
        settled: false,
        more: false,
        payload: Buffer.from('a payload'),
      },
      {
        channel: 1,
        name: 'disposition',
        role: 'receiver',
        first: 7,
        last: 7,
        settled: true,
        outcome: 'rejected',
        error,
      },
      {
        channel: 1,
        name: 'disposition',
        role: 'receiver',
        first: 8,
        last: 9,
        settled: true,
        outcome: 'released',
        error: null,
      },
      { channel: 0, name: 'heartbeat' },
      { channel: 1, name: 'detach', handle: 4, error },
      { channel: 1, name: 'end', error: null },
      { channel: 0, name: 'close', error: { condition: 'amqp:connection:forced', description: null } },
    ],
  )
  t.strictSame(
    told.map(({ bytes }) => bytes),
    story.map((_, index) => bytes(index)),
  )
})

t.test('however the bytes are cut, the frames are the same', async t => {
  const { told } = read(whole)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 20 }), cuts => {
      t.strictSame(read(whole, cuts), { told, broken: [] })
    }),
    { seed: 11, numRuns: 200 },
  )
})

t.test('of a frame that is longer than anybody reads, the head is told, and the frame after it is whole', async t => {
  const long = frame(2, frames.transfer({ handle: 1, delivery_id: 1 }), Buffer.alloc(300_000, 'x'))
  const bytes = Buffer.concat([header, long, frame(0)])
  for (const cuts of [[], [70_000], [65_536], [8 + 65_536], Array.from({ length: 40 }, (_, at) => at * 8_000)]) {
    const { told, broken } = read(bytes, cuts)
    t.strictSame(broken, [])
    t.match(told, [
      { name: 'transfer', handle: 1, bytes: long.length },
      { name: 'heartbeat', bytes: 8 },
    ])
    t.equal(told.length, 2)
    t.ok((told[0] as { payload: Buffer }).payload.length <= 65_536)
  }
})

t.test('what is no AMQP is said once, and nothing is read after it', async t => {
  for (const [bytes, said] of [
    [Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), /header/],
    [Buffer.concat([header, Buffer.from([0, 0, 0, 3, 2, 0, 0, 0])]), /3 bytes/],
    [Buffer.concat([header, Buffer.from([0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x10, 0xee])]), /./],
    [Buffer.concat([header, Buffer.from([0, 0, 0, 8, 2, 9, 0, 0])]), /frame type/],
  ] as const) {
    const { told, broken } = read(Buffer.concat([bytes, ...story]))
    t.strictSame(told, [])
    t.equal(broken.length, 1)
    t.match(broken[0], said)
  }
})

t.test('random bytes never throw', async t => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.integer({ min: 0, max: 200 })),
    (bytes, cuts) => {
      const after = Buffer.concat([header, Buffer.from(bytes)])
      read(
        after,
        cuts.filter(cut => cut <= after.length),
      )
    },
  )
  t.doesNotThrow(() => fc.assert(property, { seed: 12, numRuns: 2_000 }))
})

t.test('a put-token is answered by a status and a description, or by something that is no answer', async t => {
  const answer = (properties: object): Buffer => message.encode({ application_properties: properties, body: '' })
  t.strictSame(
    readCbsReply(answer({ 'status-code': rhea.types.wrap_int(401), 'status-description': 'x'.repeat(999) })),
    { status: 401, description: 'x'.repeat(200) },
  )
  t.strictSame(readCbsReply(answer({ 'status-code': rhea.types.wrap_int(200) })), { status: 200, description: '' })
  t.equal(readCbsReply(answer({ 'status-description': 'no status' })), null)
  t.equal(readCbsReply(Buffer.from('no message')), null)
  t.equal(readCbsReply(Buffer.alloc(0)), null)
})
