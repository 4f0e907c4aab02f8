/** What the pipeline writes without being told anything: only `writeCounts` looks at an outage that makes no news. */
import t from 'tap'
import type { Episode } from '../agent/evidence/episode.js'
import { createPipeline } from '../agent/pipeline.js'
import { createRedactor } from '../agent/redact.js'
import type { RingWriter } from '../agent/ring/ring.js'
import { createSecrets } from '../transports/secrets.js'
import type { WireEvent } from '../transports/wire-event.js'
import { closed } from './support/evidence.js'

const minuteMs = 60_000

t.test('an application whose SDK stops trying gets that verdict while nothing happens, and once', async t => {
  let atMs = 0
  const instant = () => ({ wallMs: Date.UTC(2026, 10, 22, 10) + atMs, monoMs: atMs, bootMs: atMs })
  const written: Episode[] = []
  const toldOf: string[] = []
  const append: RingWriter['append'] = async json => {
    const { type, data } = JSON.parse(json)
    if (type === 'episode') written.push(data)
    return 1
  }
  const pipeline = createPipeline({
    ring: { append } as RingWriter,
    redactor: createRedactor(createSecrets()),
    clock: { bootId: 'boot', now: instant },
    synchronised: () => true,
    onEpisode: ({ verdict }) => toldOf.push(verdict.cause),
  })
  pipeline.follow({
    conn: 'app',
    protocol: 'mqtt',
    credential: 'f00dface',
    credentialWorked: true,
    application: true,
    history: [],
    before: { ending: { kind: 'start' }, at: instant(), session: null, open: null },
  })
  const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 } as const
  const events: readonly WireEvent[] = [
    { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false },
    { ...head, type: 'accepted', sessionPresent: false, ms: 1 },
    closed('session', { by: 'unknown', how: 'rst', lastedMs: 0 }),
    { ...head, type: 'sdkError', during: 'session', error: { name: 'Error', message: 'read ECONNRESET' } },
  ]
  for (const event of events) pipeline.wire('app', event, 1)
  for (const minutes of [1, 3, 5, 6, 7]) {
    atMs = minutes * minuteMs
    await pipeline.writeCounts('app')
  }
  t.strictSame(
    written.map(({ verdict, state }) => `${verdict.cause} ${state}`),
    ['peer-reset open', 'sdk-gave-up open'],
  )
  t.strictSame(toldOf, ['peer-reset', 'sdk-gave-up'])
  t.equal(pipeline.state('app')?.episode?.verdict.cause, 'sdk-gave-up')
})

t.test('a session that lasted leaves in its record what the host and the hub were like', async t => {
  let atMs = 0
  const startMs = Date.UTC(2026, 10, 22, 10)
  const instant = () => ({ wallMs: startMs + atMs, monoMs: atMs, bootMs: atMs })
  const written: { type: string; data: Record<string, unknown> }[] = []
  const append: RingWriter['append'] = async json => written.push(JSON.parse(json))
  const pipeline = createPipeline({
    ring: { append } as RingWriter,
    redactor: createRedactor(createSecrets()),
    clock: { bootId: 'boot', now: instant },
    synchronised: () => true,
    versions: 'hubrec 1',
  })
  const before = { ending: { kind: 'start' }, at: instant(), session: null, open: null } as const
  const remembered = {
    conn: 'hubrec',
    protocol: 'mqtt',
    credential: 'f00dface',
    credentialWorked: true,
    history: [],
  } as const
  pipeline.follow({ ...remembered, before })
  const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 } as const
  const link = { carrier: 1, carrierChanges: 1, addresses: ['10.0.0.7'], operstate: 'up', wireless: null }
  const sample = (carrier: number) => ({
    interfaces: { byName: { eth0: { ...link, carrier, carrierChanges: 2 - carrier } } },
    resolvers: { nameservers: ['10.0.0.1'] },
  })
  await pipeline.record('sample', sample(1))
  pipeline.wire('hubrec', { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false }, 1)
  pipeline.wire('hubrec', { ...head, type: 'resolved', addresses: ['20.0.0.1'], ms: 1 }, 1)
  pipeline.wire('hubrec', { ...head, type: 'accepted', sessionPresent: false, ms: 1 }, 1)
  atMs = 90_000
  pipeline.wire('hubrec', closed('session', { by: 'us', how: 'timeout', reason: 'silence', lastedMs: 90_000 }), 1)
  const session = written.find(({ type }) => type === 'session')
  t.strictSame(session?.data.baseline, {
    endedMs: startMs + 90_000,
    hubAddresses: ['20.0.0.1'],
    issuer: null,
    rttMs: null,
    ownAddresses: ['10.0.0.7'],
    resolvers: ['10.0.0.1'],
    defaultRoute: null,
    bssid: null,
    synchronised: true,
    versions: 'hubrec 1',
  })
})
