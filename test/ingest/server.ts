/** The ingest socket, against clients that are slow, broken, hostile, too many or too fast. */
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { encodeFrame, frameBytesMax } from '../../agent/ingest/frames.js'
import type { Intake } from '../../agent/ingest/intake.js'
import { readMessage } from '../../agent/ingest/schema.js'
import { openIngest, type ServerLimits } from '../../agent/ingest/server.js'
import { accepted, closed, connecting } from '../support/wire-story.js'

type Listening = Readonly<{ path: string; heard: string[]; notes: string[]; dial(): Promise<Socket> }>

async function listening(t: Test, limits: Partial<ServerLimits> = {}): Promise<Listening> {
  const dir = await mkdtemp(join(tmpdir(), 'ingest-'))
  const path = join(dir, 'ingest.sock')
  const heard: string[] = []
  const notes: string[] = []
  const intake: Intake = {
    welcome: ({ name }) => {
      heard.push(`hello ${name}`)
      return {
        name,
        resume: ({ lane }) => void heard.push(`open ${lane}`),
        take: message => {
          heard.push(message.type === 'lost' ? `lost ${message.count}` : message.event.type)
          return message.n
        },
        lost: count => void heard.push(`${count} not taken`),
        bye: () => void heard.push('bye'),
        disconnected: () => void heard.push('gone'),
      }
    },
    lookAfter: () => undefined,
    connections: () => [],
  }
  const part = await openIngest({ path, intake, note: message => void notes.push(message), limits })
  const stop = new AbortController()
  const running = part.run(stop.signal).catch(() => undefined)
  const clients: Socket[] = []
  t.teardown(async () => {
    for (const client of clients) client.destroy()
    stop.abort()
    await running
    await rm(dir, { recursive: true, force: true })
  })
  return {
    path,
    heard,
    notes,
    async dial() {
      const client = connect(path)
      client.on('error', () => undefined)
      client.resume()
      clients.push(client)
      await once(client, 'connect')
      return client
    },
  }
}

const frame = (message: object): Buffer => encodeFrame(JSON.stringify(message)) ?? Buffer.alloc(0)

const hello = {
  type: 'hello',
  version: 1,
  name: 'telemetry',
  pid: 1,
  pidNamespace: null,
  startTicks: null,
  versions: { hubrec: '0.1.0', node: '20.15.0' },
  clock: { wallMs: 1, monoMs: 1, bootId: 'b' },
}
const event = (n: number, told: object): object => ({ type: 'event', n, lane: 1, inc: 1, event: told })

t.test('an application is heard to its goodbye, byte by byte, and told what was taken', async t => {
  const { path, heard, dial } = await listening(t)
  t.equal((await stat(path)).mode & 0o777, 0o660)
  const client = await dial()
  const acks: Buffer[] = []
  client.on('data', piece => acks.push(piece))
  const told = [
    hello,
    event(1, connecting(1, 1)),
    { type: 'lost', n: 2, count: 3 },
    { type: 'bye', exitCode: 0, crashed: null },
  ]
  for (const byte of Buffer.concat(told.map(frame))) client.write(Buffer.from([byte]))
  await once(client, 'close')
  t.strictSame(heard, ['hello telemetry', 'connecting', 'lost 3', 'bye'])
  t.equal(Buffer.concat(acks).readUInt32BE(Buffer.concat(acks).length - 4), 2)
})

t.test('a socket that another process listens at is left to it', async t => {
  const { path } = await listening(t)
  const intake = {} as Intake
  await t.rejects(openIngest({ path, intake, note: () => undefined }), { code: 'ALREADY_RUNNING' })
})

t.test('who ends without a goodbye is gone, and what he had sent is heard', async t => {
  const { heard, dial } = await listening(t)
  const client = await dial()
  client.end(
    Buffer.concat([frame(hello), frame(event(1, connecting(1, 1))), frame(event(2, accepted(1, 2))).subarray(0, 20)]),
  )
  await once(client, 'close')
  t.strictSame(heard, ['hello telemetry', 'connecting', 'gone'])
})

t.test('what is no message ends the connection', async t => {
  const { heard, notes, dial } = await listening(t)
  const wrong = [
    [event(1, connecting(1, 1))],
    [hello, hello],
    [hello, { type: 'event', n: 1, lane: 1, inc: 1, event: { type: 'connecting' } }],
    [hello, event(1, { ...connecting(1, 1), host: 'x'.repeat(300) })],
    [hello, event(1, { ...closed(1, 1, 1), error: nested(20) })],
    [hello, event(1, { ...connecting(1, 1), port: 1e9 })],
    [hello, event(0, connecting(1, 1))],
    [{ ...hello, name: '../../etc' }],
  ]
  for (const messages of wrong) {
    const client = await dial()
    client.write(Buffer.concat(messages.map(frame)))
    await once(client, 'close')
  }
  t.notOk(heard.includes('connecting'))
  t.equal(notes.length, wrong.length)
})

/** An error within an error, so deep that it is no error of ours. */
const nested = (depth: number): object =>
  depth === 0 ? { name: 'E', message: 'x' } : { name: 'E', message: 'x', from: nested(depth - 1) }

t.test('one that says nothing is not waited for, and one connection more than allowed is closed', async t => {
  const { dial, notes } = await listening(t, { connections: 2, helloMs: 50 })
  const [first, second, third] = await Promise.all([dial(), dial(), dial()])
  await Promise.all([first, second, third].map(client => once(client as Socket, 'close')))
  t.strictSame(notes, ['more applications than can be recorded'])
})

t.test('who is too fast waits, and everything arrives in the end', async t => {
  const { heard, dial } = await listening(t, { burst: 3, perSecond: 200 })
  const client = await dial()
  const startedMs = performance.now()
  const events = Array.from({ length: 40 }, (_, index) => frame(event(index + 1, connecting(index + 1, index))))
  client.write(Buffer.concat([frame(hello), ...events, frame({ type: 'bye', exitCode: 0, crashed: null })]))
  await once(client, 'close')
  t.equal(heard.filter(word => word === 'connecting').length, 40)
  t.ok(performance.now() - startedMs > 150, 'at 200 a second, but for the first three')
})

t.test('who is too fast and gone has lost the rest, and that is said', async t => {
  const { heard, dial } = await listening(t, { burst: 3, perSecond: 1 })
  const client = await dial()
  const events = Array.from({ length: 8 }, (_, index) => frame(event(index + 1, connecting(index + 1, index))))
  client.end(Buffer.concat([frame(hello), ...events]))
  while (!heard.includes('gone')) await new Promise(setImmediate)
  t.strictSame(heard, ['hello telemetry', 'connecting', 'connecting', '6 not taken', 'gone'])
})

t.test('random bytes never get through, and never hurt', async t => {
  const { heard, dial } = await listening(t, { dials: 1_000 })
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
    fc.json({ maxDepth: 3 }).map(json => encodeFrame(json) ?? Buffer.alloc(0)),
    fc.constant(encodeFrame('['.repeat(frameBytesMax))!),
    fc.constant(encodeFrame(`{"type":"event","n":1,"lane":1,"inc":1,"event":${'{"from":'.repeat(5_000)}`)!),
    fc.constant(frame(hello)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(noise, { minLength: 1, maxLength: 5 }), fc.boolean(), async (pieces, resets) => {
      const client = await dial()
      const over = new Promise(resolve => client.once('close', resolve))
      for (const piece of pieces) client.write(piece)
      if (resets) client.destroy()
      else client.end()
      await over
    }),
    { numRuns: 150 },
  )
  t.strictSame(
    heard.filter(word => word !== 'hello telemetry' && word !== 'gone'),
    [],
  )
  const client = await dial()
  client.end(Buffer.concat([frame(hello), frame(event(1, connecting(1, 1)))]))
  await once(client, 'close')
  t.ok(heard.includes('connecting'), 'and it still works')
})

t.test('a message is read without being believed', async t => {
  const read = (text: string) => readMessage(Buffer.from(text))
  t.equal(read('['.repeat(60_000)), null)
  t.equal(read('{"type":"hello"'), null)
  t.equal(read('null'), null)
  const polluted = read(JSON.stringify(event(1, connecting(1, 1))).replace('{', '{"__proto__":{"polluted":1},'))
  t.equal((polluted as { polluted?: unknown } | null)?.polluted, undefined)
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  t.same(
    read(JSON.stringify({ ...event(1, connecting(1, 1)), future: true })),
    event(1, connecting(1, 1)),
    'a field of later',
  )
})
