/**
 * Every first cause, made to happen on real sockets against the local hub, on the first connection and on a later one:
 * the verdict is right, the connection comes back without help, and methods are answered again.
 */
import { Resolver } from 'node:dns/promises'
import t, { type Test } from 'tap'
import type { Confidence, Episode } from '../../agent/evidence/episode.js'
import type { Lookup } from '../../transports/socket-tap.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { type NameServer, startNameServer } from '../hub/name-server.js'
import { type FollowedConnection, followConnection } from '../support/followed-connection.js'
import { breaches } from '../support/pairing.js'
import type { WatchOptions } from '../support/watched-connection.js'

const hub = await startHub()
t.teardown(() => hub.close())
t.jobs = 6

type Expected = Readonly<{ cause: string; confidence: Confidence }>

/** A fault that keeps new connections away, so that it can be there from the start or come later. */
type Barrier = Expected & Readonly<{ fault: Fault; options?: Partial<Followed> }>
type Followed = WatchOptions & { synchronised?: boolean | null; plausible?: boolean }

/** For the step that is never answered; the others keep their 10 s, so that a busy machine is not taken for a fault. */
const limitMs = 1_000

const barriers: readonly Barrier[] = [
  { fault: { kind: 'refuse' }, cause: 'port-refused', confidence: 'certain' },
  {
    fault: { kind: 'unanswered' },
    cause: 'hub-unreachable',
    confidence: 'certain',
    options: { timeoutsMs: { tcp: limitMs } },
  },
  {
    fault: { kind: 'silent' },
    cause: 'tls-timeout',
    confidence: 'certain',
    options: { timeoutsMs: { tls: limitMs } },
  },
  { fault: { kind: 'finAtAccept' }, cause: 'tls-closed', confidence: 'certain' },
  { fault: { kind: 'rstAtAccept' }, cause: 'peer-reset', confidence: 'certain' },
  {
    fault: { kind: 'noConnack' },
    cause: 'connack-timeout',
    confidence: 'certain',
    options: { timeoutsMs: { accept: limitMs } },
  },
  { fault: { kind: 'connack', code: 1 }, cause: 'protocol-version', confidence: 'certain' },
  { fault: { kind: 'connack', code: 2 }, cause: 'client-id-rejected', confidence: 'certain' },
  { fault: { kind: 'connack', code: 3 }, cause: 'hub-transient-5xx', confidence: 'likely' },
  { fault: { kind: 'connack', code: 4 }, cause: 'wrong-key', confidence: 'possible' },
  { fault: { kind: 'connack', code: 5 }, cause: 'wrong-key', confidence: 'possible' },
  {
    fault: { kind: 'certificate', certificate: 'expired' },
    cause: 'server-certificate-invalid',
    confidence: 'certain',
    options: { synchronised: true },
  },
  {
    fault: { kind: 'certificate', certificate: 'expired' },
    cause: 'clock-skew',
    confidence: 'certain',
    options: { plausible: false },
  },
  {
    fault: { kind: 'certificate', certificate: 'notYetValid' },
    cause: 'clock-skew',
    confidence: 'certain',
    options: { plausible: false },
  },
  {
    fault: { kind: 'certificate', certificate: 'selfSigned' },
    cause: 'server-certificate-invalid',
    confidence: 'certain',
  },
  { fault: { kind: 'certificate', certificate: 'wrongName' }, cause: 'tls-interception', confidence: 'certain' },
  { fault: { kind: 'certificate', certificate: 'unknownCa' }, cause: 'tls-interception', confidence: 'certain' },
  {
    fault: { kind: 'certificate', certificate: 'notYetValid' },
    cause: 'clock-skew',
    confidence: 'likely',
    options: { synchronised: false },
  },
  {
    fault: { kind: 'certificate', certificate: 'notYetValid' },
    cause: 'server-certificate-invalid',
    confidence: 'certain',
    options: { synchronised: true },
  },
]

let devices = 0

/** A device of its own for each row, so that rows do not meet. */
async function freshDevice(): Promise<{ deviceId: string; door: Door }> {
  const deviceId = `gateway-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId) }
}

const follow = (deviceId: string, options: Partial<Followed> = {}): FollowedConnection =>
  followConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    knownRoots: hub.ca,
    ...options,
  })

/** Back, proven by a 200 to a call that the hub makes. */
async function answersAgain(t: Test, connection: FollowedConnection, deviceId: string, from: number): Promise<void> {
  await connection.next('subscribed', { from, where: ({ ok }) => ok })
  const answer = await hub.invokeMethod({ deviceId }, { methodName: 'ping' })
  t.strictSame(answer, { status: 200, payload: { name: 'ping' } })
}

async function stopAndCheck(t: Test, connection: FollowedConnection): Promise<void> {
  await connection.stop()
  t.strictSame(breaches(connection.told.map(({ event }) => event)), [], 'each attempt and each session ends once')
}

const judged = (episode: Episode | undefined): object | undefined =>
  episode && {
    state: episode.state,
    provisional: episode.provisional,
    planned: episode.planned,
    cause: episode.verdict.cause,
    confidence: episode.verdict.confidence,
  }

const closed = ({ cause, confidence }: Expected): object => ({
  state: 'closed',
  provisional: false,
  planned: false,
  cause,
  confidence,
})

/** Two failed attempts: an outage and not a hiccup. */
async function twoFailures(connection: FollowedConnection, from: number): Promise<void> {
  const first = await connection.next('retryScheduled', { from })
  const after = connection.told.findIndex(({ event }) => event === first) + 1
  await connection.next('retryScheduled', { from: after })
  await connection.next('connecting', { from: after })
}

const clockOf = ({ synchronised, plausible }: Partial<Followed> = {}): string => {
  if (plausible === false) return ', clock impossible'
  return synchronised === undefined ? '' : `, clock ${synchronised ? '' : 'not '}synchronised`
}

for (const { fault, cause, confidence, options } of barriers) {
  const { kind, ...detail } = fault
  const name = [kind, ...Object.values(detail)].join(' ')
  const clock = clockOf(options)

  t.test(`${name}${clock}: ${cause}, on the first connection`, { buffered: true }, async t => {
    const { deviceId, door } = await freshDevice()
    await door.set(fault)
    const connection = follow(deviceId, options)
    await twoFailures(connection, 0)
    t.strictSame(connection.episodes.map(judged), [
      { state: 'open', provisional: true, planned: false, cause, confidence },
    ])
    await door.heal()
    await answersAgain(t, connection, deviceId, 0)
    t.strictSame(connection.episodes.map(judged), [closed({ cause, confidence })])
    t.equal(connection.episodes[0]?.session, null)
    t.ok(connection.episodes[0]?.sdkSaid, 'what the SDK said is kept beside it')
    await stopAndCheck(t, connection)
  })

  t.test(`${name}${clock}: ${cause}, on a later connection`, { buffered: true }, async t => {
    const { deviceId, door } = await freshDevice()
    const connection = follow(deviceId, options)
    await answersAgain(t, connection, deviceId, 0)
    await door.set(fault)
    const from = connection.told.length
    door.cut('fin')
    await connection.next('closed', { from })
    await twoFailures(connection, from + 1)
    await door.heal()
    await answersAgain(t, connection, deviceId, from)
    t.strictSame(connection.episodes.map(judged), [closed({ cause, confidence })])
    t.ok(connection.episodes[0]?.session, 'the session that was lost is told')
    await stopAndCheck(t, connection)
  })
}

t.test('a chain to a root that this device lacks: tls-root-missing', { buffered: true }, async t => {
  const { deviceId } = await freshDevice()
  const connection = follow(deviceId, { ca: null })
  await twoFailures(connection, 0)
  t.strictSame(connection.episodes.map(judged), [
    { state: 'open', provisional: true, planned: false, cause: 'tls-root-missing', confidence: 'certain' },
  ])
  t.equal(
    hub.log.filter(event => event.type === 'connect' && event.deviceId === deviceId).length,
    0,
    'no credential was sent to a server that was not verified',
  )
  await stopAndCheck(t, connection)
})

/** Asks the name server over real UDP, with the errors that getaddrinfo makes of its answers. */
function lookupBy(server: NameServer): Lookup {
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers([server.address])
  return (host, callback) => {
    resolver.resolve4(host).then(
      addresses =>
        callback(
          null,
          addresses.map(address => ({ address, family: 4 })),
        ),
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

for (const mode of ['nxdomain', 'servfail', 'silence'] as const) {
  t.test(`the resolver answers ${mode}: dns-failure, first and later`, { buffered: true }, async t => {
    const hostName = 'fabrikam.azure-devices.net'
    const hub = await startHub({ hostName })
    const names = await startNameServer()
    t.teardown(async () => {
      await hub.close()
      await names.close()
    })
    const door = await hub.addDevice('gateway')
    names.set(mode)
    const connection = followConnection({
      connectionString: hub.connectionString('gateway'),
      ca: hub.ca,
      lookup: lookupBy(names),
      timeoutsMs: { dns: limitMs },
    })
    const answersAgain = async (from: number): Promise<void> => {
      await connection.next('subscribed', { from })
      const { status } = await hub.invokeMethod({ deviceId: 'gateway' }, { methodName: 'ping' })
      t.equal(status, 200)
    }
    await twoFailures(connection, 0)
    names.set('answer')
    await answersAgain(0)
    const from = connection.told.length
    names.set(mode)
    door.cut('rst')
    await connection.next('closed', { from })
    await twoFailures(connection, from + 1)
    names.set('answer')
    await answersAgain(from)
    const failure = closed({ cause: 'dns-failure', confidence: 'certain' })
    t.strictSame(connection.episodes.map(judged), [failure, failure])
    await stopAndCheck(t, connection)
  })
}

/** What ends a session and lets the first retry through: then the ending is the verdict. */
const cuts: readonly (Expected & Readonly<{ name: string; cut(door: Door): Promise<void> | void }>)[] = [
  { name: 'a bare FIN', cut: door => door.cut('fin'), cause: 'unknown-close', confidence: 'unknown' },
  { name: 'a RST', cut: door => door.cut('rst'), cause: 'peer-reset', confidence: 'certain' },
  {
    name: 'a malformed packet',
    cut: door => door.set({ kind: 'malformed' }),
    cause: 'protocol-violation',
    confidence: 'certain',
  },
  {
    name: 'a DISCONNECT from the server',
    cut: door => door.set({ kind: 'serverDisconnect' }),
    cause: 'protocol-violation',
    confidence: 'certain',
  },
]
for (const { name, cut, cause, confidence } of cuts) {
  t.test(`${name} in a session: ${cause}`, { buffered: true }, async t => {
    const { deviceId, door } = await freshDevice()
    const connection = follow(deviceId)
    await connection.next('subscribed')
    const from = connection.told.length
    // Before the session ends its successor must be let in, or the fault would strike that one too.
    const ended = connection.next('closed', { from }).then(() => door.heal())
    await cut(door)
    await ended
    await answersAgain(t, connection, deviceId, from)
    t.strictSame(connection.episodes.map(judged), [closed({ cause, confidence })])
    t.equal(connection.episodes[0]?.detectedAfterMs, 0)
    await stopAndCheck(t, connection)
  })
}

for (const direction of ['both', 'towardHub', 'towardDevice'] as const) {
  t.test(
    `nothing is forwarded ${direction}: link-lost-keepalive, within 1.5 keepalives`,
    { buffered: true },
    async t => {
      const { deviceId, door } = await freshDevice()
      const connection = follow(deviceId, { keepaliveSeconds: 3 })
      await connection.next('subscribed')
      const from = connection.told.length
      await door.set({ kind: 'blackHole', direction })
      const lost = await connection.next('closed', { from })
      await door.heal()
      await answersAgain(t, connection, deviceId, from)
      // Toward the hub both sides' timers run out together, and the hub's FIN may win: then the wire says a little less.
      const confidence = lost.by === 'us' ? 'certain' : 'likely'
      t.strictSame(connection.episodes.map(judged), [closed({ cause: 'link-lost-keepalive', confidence })])
      const [episode] = connection.episodes
      t.equal(episode?.detectedAfterMs, Math.round(lost.silentMs))
      t.ok(lost.silentMs > 1_400 && lost.silentMs < 5_500, `silent for ${lost.silentMs} ms`)
      t.ok((episode?.durationMs ?? 0) >= lost.silentMs, 'the outage began with the last byte received')
      await stopAndCheck(t, connection)
    },
  )
}

t.test('nothing is forwarded from the start: tls-timeout', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  await door.set({ kind: 'blackHole', direction: 'both' })
  const connection = follow(deviceId, { timeoutsMs: { tls: limitMs } })
  await twoFailures(connection, 0)
  await door.heal()
  await answersAgain(t, connection, deviceId, 0)
  t.strictSame(connection.episodes.map(judged), [closed({ cause: 'tls-timeout', confidence: 'certain' })])
  await stopAndCheck(t, connection)
})

for (const kind of ['subackRefused', 'noSuback'] as const) {
  t.test(`${kind}: methods-dead, and the incarnation is thrown away`, { buffered: true }, async t => {
    const { deviceId, door } = await freshDevice()
    await door.set({ kind })
    const connection = follow(deviceId, { methodsProofMs: 500 })
    const dead = await connection.next('closed')
    t.match(dead, { by: 'us', reason: 'methods', stage: 'session' })
    await door.heal()
    await answersAgain(t, connection, deviceId, 0)
    t.match(connection.episodes.map(judged), [closed({ cause: 'methods-dead', confidence: 'certain' })])
    await stopAndCheck(t, connection)
  })
}

t.test('the hub forgets the persistent session: methods are answered all the same', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  const connection = follow(deviceId)
  await connection.next('subscribed')
  await door.set({ kind: 'forgetSession' })
  const from = connection.told.length
  door.cut('fin')
  const again = await connection.next('accepted', { from })
  t.equal(again.sessionPresent, false)
  await answersAgain(t, connection, deviceId, from)
  await stopAndCheck(t, connection)
})

t.test('a renewal of the token is a planned episode: sas-renewal-expected', { buffered: true }, async t => {
  const { deviceId } = await freshDevice()
  const connection = follow(deviceId, { sasLifetimeSeconds: 8 })
  const begun = await connection.next('renewalStarted')
  const done = await connection.next('renewalDone')
  t.strictSame({ id: done.id, ok: done.ok }, { id: begun.id, ok: true })
  await answersAgain(
    t,
    connection,
    deviceId,
    connection.told.findIndex(({ event }) => event === begun),
  )
  const [episode] = connection.episodes
  t.strictSame(judged(episode), {
    ...closed({ cause: 'sas-renewal-expected', confidence: 'certain' }),
    planned: true,
  })
  await stopAndCheck(t, connection)
})

t.test('a renewal that is refused is an outage, and it comes back', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  const connection = follow(deviceId, { sasLifetimeSeconds: 8 })
  await connection.next('subscribed')
  await door.set({ kind: 'renewalRefused' })
  const done = await connection.next('renewalDone')
  t.equal(done.ok, false)
  const from = connection.told.length
  await door.heal()
  await answersAgain(t, connection, deviceId, from)
  t.strictSame(judged(connection.episodes[0]), closed({ cause: 'wrong-key', confidence: 'possible' }))
  await stopAndCheck(t, connection)
})

t.test(
  'a second client of the same identity: duplicate-device-id, and we do not fight it',
  { buffered: true },
  async t => {
    const { deviceId } = await freshDevice()
    const waits: number[] = []
    const limits = { takeOverFloorMs: 120_000, takeOverCapMs: 900_000 }
    const ours = follow(deviceId, {
      limits,
      // Time is injected: what the policy asks for is noted and not waited for.
      wait: async delayMs => void waits.push(delayMs),
    })
    await ours.next('subscribed')
    for (let round = 0; round < 3; round++) {
      const from = ours.told.length
      const rival = follow(deviceId)
      await ours.next('closed', { from })
      await ours.next('subscribed', { from })
      await rival.stop()
    }
    t.strictSame(
      ours.episodes.slice(0, 3).map(({ verdict: { cause, confidence } }) => ({ cause, confidence })),
      [
        { cause: 'unknown-close', confidence: 'unknown' },
        { cause: 'duplicate-device-id', confidence: 'possible' },
        { cause: 'duplicate-device-id', confidence: 'likely' },
      ],
    )
    t.ok(waits[1]! >= 120_000 && waits[2]! >= 120_000, `waits ${waits}`)
    await ours.stop()
  },
)

t.test('a hub that closes right after CONNACK is not called a second client', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  await door.set({ kind: 'closeAfterConnack' })
  const connection = follow(deviceId)
  for (let round = 0, from = 0; round < 3; round++) {
    const end = await connection.next('closed', { from })
    from = connection.told.findIndex(({ event }) => event === end) + 1
  }
  const from = connection.told.length
  await door.heal()
  await answersAgain(t, connection, deviceId, from)
  for (const episode of connection.episodes) t.equal(episode.verdict.cause, 'unknown-close')
  await stopAndCheck(t, connection)
})

t.test('a close at a publish, again and again: quota-exceeded is possible', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  const connection = follow(deviceId)
  await door.set({ kind: 'closeAtPublish', times: 2 })
  let from = 0
  for (let round = 0; round < 2; round++) {
    await connection.next('subscribed', { from })
    from = connection.told.length
    // The answer to a method is a publish; the hub closes instead of taking it.
    await t.rejects(hub.invokeMethod({ deviceId }, { methodName: 'ping', responseTimeoutInSeconds: 1 }))
    await connection.next('closed', { from })
  }
  await answersAgain(t, connection, deviceId, from)
  t.strictSame(
    connection.episodes.map(({ verdict: { cause, confidence } }) => ({ cause, confidence })),
    [
      { cause: 'unknown-close', confidence: 'unknown' },
      { cause: 'quota-exceeded', confidence: 'possible' },
    ],
  )
  await stopAndCheck(t, connection)
})

t.test('a slow link is no outage', { buffered: true }, async t => {
  const { deviceId, door } = await freshDevice()
  await door.set({ kind: 'slow', latencyMs: 150, msPerByte: 0.1 })
  const connection = follow(deviceId)
  await answersAgain(t, connection, deviceId, 0)
  t.strictSame(connection.episodes, [])
  await stopAndCheck(t, connection)
})
