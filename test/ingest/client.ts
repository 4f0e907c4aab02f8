/** The application's end: it finds a daemon that comes late or comes again, and is alone without harm. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createIngestClient, type IngestClient } from '../../agent/ingest/client.js'
import type { Hello, Message, Numbered, Resumed } from '../../agent/ingest/messages.js'
import { startToldDaemon, type ToldDaemon } from '../support/told-daemon.js'
import { accepted, closed, connecting, pingSent } from '../support/wire-story.js'

const hello = (): Hello => ({
  type: 'hello',
  version: 1,
  name: 'telemetry',
  pid: process.pid,
  pidNamespace: null,
  startTicks: null,
  versions: { hubrec: '0.1.0', node: '20.15.0' },
  clock: { wallMs: 1, monoMs: 1, bootId: 'b' },
})

const delaysMs = { firstRetry: 5, lastRetry: 20, aloneAtStart: 60_000, aloneLater: 60_000 }

async function daemonOf(t: Test, acknowledges = true): Promise<ToldDaemon> {
  const daemon = await startToldDaemon(acknowledges)
  t.teardown(() => daemon[Symbol.asyncDispose]())
  return daemon
}

const short = (message: Message): string => {
  if (message.type === 'event') return `${message.n} ${message.event.type} ${message.event.attempt}`
  if (message.type === 'open') return `open ${message.events.map(({ type }) => type).join(' ')}`
  return message.type === 'lost' ? `${message.n} lost ${message.count}` : message.type
}
const isEvent =
  (n: number) =>
  (message: Message): message is Message & { type: 'event' } =>
    message.type === 'event' && message.n === n

/** The client itself keeps no process alive, so the test does while it waits. */
const awake = async <T>(promise: Promise<T>): Promise<T> => {
  const timer = setInterval(() => undefined, 1_000)
  try {
    return await promise
  } finally {
    clearInterval(timer)
  }
}

t.test('what was told before a daemon was there arrives when it comes', async t => {
  const daemon = await daemonOf(t)
  await daemon.close()
  const client = createIngestClient({ path: daemon.path, hello, delaysMs })
  client.tell(1, 1, connecting(1, 1))
  client.tell(1, 1, accepted(1, 2))
  await daemon.open()
  await awake(daemon.next(isEvent(2)))
  t.strictSame(daemon.messages.map(short), ['hello', '1 connecting 1', '2 accepted 1'])
})

t.test('a daemon that comes again is told what goes on, and what the old one had not taken', async t => {
  const daemon = await daemonOf(t)
  const client = createIngestClient({ path: daemon.path, hello, delaysMs })
  client.tell(1, 1, connecting(1, 1))
  client.tell(1, 1, accepted(1, 2))
  await awake(daemon.next(isEvent(2)))
  client.tell(1, 1, pingSent(1, 3))
  await awake(daemon.next(isEvent(3)))
  while (client.waiting > 0) await new Promise(setImmediate)
  const from = daemon.messages.length
  await daemon.close()
  client.tell(1, 1, closed(1, 4, 2))
  await daemon.open()
  await awake(daemon.next(isEvent(4), from))
  t.strictSame(daemon.messages.slice(from).map(short), ['hello', 'open connecting accepted', '4 closed 1'])
})

t.test('what a daemon has not acknowledged is told again', async t => {
  const daemon = await daemonOf(t, false)
  const client = createIngestClient({ path: daemon.path, hello, delaysMs })
  client.tell(1, 1, connecting(1, 1))
  await awake(daemon.next(isEvent(1)))
  const from = daemon.messages.length
  await daemon.close()
  await daemon.open()
  await awake(daemon.next(isEvent(1), from))
  t.strictSame(daemon.messages.slice(from).map(short), ['hello', '1 connecting 1'])
})

t.test('alone it says so, hands everything to whoever takes it, and goes back to a daemon that comes', async t => {
  const daemon = await daemonOf(t)
  await daemon.close()
  const taken: string[] = []
  let client: IngestClient | null = null
  let isBack = false
  const alone = new Promise<void>(resolve => {
    client = createIngestClient({
      path: daemon.path,
      hello,
      delaysMs: { ...delaysMs, aloneAtStart: 20 },
      onAlone: resolve,
      onDaemon: () => {
        isBack = true
      },
    })
  })
  const app = client as unknown as IngestClient
  app.tell(1, 1, connecting(1, 1))
  await awake(alone)
  app.divert(message => void taken.push(short(message as Numbered | Resumed)))
  app.tell(1, 1, accepted(1, 2))
  t.strictSame(taken, ['1 connecting 1', '2 accepted 1'])
  await daemon.open()
  const isOpen = (message: Message): message is Resumed => message.type === 'open'
  await awake(daemon.next(isOpen))
  app.tell(1, 1, closed(1, 3, 1))
  await awake(daemon.next(isEvent(3)))
  t.ok(isBack)
  t.strictSame(daemon.messages.map(short), ['hello', 'open connecting accepted', '3 closed 1'])
})

t.test('a daemon that shows it the door is no daemon', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'door-'))
  const path = join(dir, 'ingest.sock')
  let dialled = 0
  const server = createServer(socket => {
    dialled += 1
    socket.destroy()
  }).listen(path)
  t.teardown(async () => {
    server.close()
    await rm(dir, { recursive: true })
  })
  const taken: string[] = []
  await awake(
    new Promise<void>(resolve => {
      const client = createIngestClient({
        path,
        hello,
        delaysMs: { ...delaysMs, aloneAtStart: 100 },
        onDaemon: () => t.fail('it is none'),
        onAlone: () => {
          client.divert(message => void taken.push(short(message as Numbered | Resumed)))
          resolve()
        },
      })
      client.tell(1, 1, connecting(1, 1))
    }),
  )
  t.strictSame(taken, ['1 connecting 1'])
  t.ok(dialled > 1)
})

t.test('what fails in us is told to us', async t => {
  const daemon = await daemonOf(t)
  const failure = await awake(
    new Promise(resolve => {
      const client = createIngestClient({
        path: daemon.path,
        hello: () => {
          throw new Error('no hello')
        },
        delaysMs,
        onFailure: resolve,
      })
      client.tell(1, 1, connecting(1, 1))
    }),
  )
  t.match(failure, { message: 'no hello' })
})

t.test('a path that nobody can listen at does no harm', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'nowhere-'))
  t.teardown(() => rm(dir, { recursive: true }))
  for (const path of [dir, join(dir, 'x'.repeat(200)), '/dev/null', join(dir, 'none', 'ingest.sock')]) {
    const client = createIngestClient({ path, hello, delaysMs })
    for (let attempt = 1; attempt <= 2_000; attempt += 1) client.tell(1, 1, connecting(attempt, attempt))
    t.equal(client.lost, 1_000)
    client.bye({ exitCode: 0, crashed: null })
  }
})
