/**
 * The promises of a connection, for every protocol: whatever a wire does, and whenever we stop, each attempt and each session ends once, stopping takes under 5 s, and
 * nothing is left over.
 *
 * The moments are real, because what is looked for lies between them: two ends at once, a stop in a handshake.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { Lookup } from '../../transports/socket-tap.js'
import type { MethodAnswer } from '../../transports/transport.js'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import { type Door, HubError, startHub } from '../hub/hub.js'
import { leaks } from './leaks.js'
import { breaches } from './pairing.js'
import { faultKindsOf, type RandomWire, wireAroundRenewal, wireWith } from './random-wire.js'
import { connectRaw, rawClient } from './raw-client.js'
import { tapClient } from './tapped-client.js'
import { type Told, type WatchedConnection, watchConnection } from './watched-connection.js'

const hub = await startHub()

/** The same wires every time, so that a red run is about the change; a campaign gives seeds of its own. */
const seed = Number(process.env.HUBREC_TEST_SEED ?? 7)
t.comment(`HUBREC_TEST_SEED=${seed}`)

/** A smaller wire takes as long as the first one, and it may not fail again. */
const shrinksMax = 6
const ownTickMs = 20
/** Counted while this process is let run: on a loaded machine the hub, which is in it too, is as late as we are. */
const stopLimitMs = 5_000
/** A FIN that is not answered with another one is given up by the hub's door after 5 s; the rest is for a loaded machine. */
const hubClosesWithinMs = 60_000

const rejections: unknown[] = []
process.on('unhandledRejection', reason => rejections.push(reason))

let devices = 0
/** Every run of this file, to be looked at once more when all are over. */
const runs: { deviceId: string; connection: WatchedConnection; toldAtStop: number }[] = []

/** @returns a sentence for each promise that was broken */
async function run(protocol: Protocol, wire: RandomWire): Promise<string[]> {
  const deviceId = `gateway-${++devices}`
  const door = await hub.addDevice(deviceId)
  if (wire.before) await door.set(wire.before)
  const answering: Promise<unknown>[] = []
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    protocol,
    keepaliveSeconds: wire.keepaliveSeconds,
    sasLifetimeSeconds: wire.sasLifetimeSeconds,
    timeoutsMs: { dns: 500, tcp: 500, tls: 500, accept: 500 },
    methodsProofMs: 800,
    lookup: lookupBy(wire),
    // A floor of minutes would leave the rest of the wire without a connection to act on.
    limits: { takeOverFloorMs: 100, takeOverCapMs: 400 },
    onMethod: ({ payload }) => {
      const answer = answerMethod(JSON.parse(payload.toString()))
      answering.push(answer.catch(() => undefined))
      return answer
    },
  })
  const rivals: { close(): void }[] = []
  const calls: Promise<string[]>[] = []
  for (const { afterMs, act } of wire.acts) {
    await sleep(afterMs)
    switch (act.do) {
      case 'set':
        await patiently(() => door.set(act.fault))
        break
      case 'heal':
        await patiently(() => door.heal())
        break
      case 'cut':
        door.cut(act.how)
        break
      case 'takeOver':
        rivals.push(takeOver(protocol, deviceId, door))
        break
      case 'call':
        calls.push(call(deviceId, act))
        break
    }
  }
  await sleep(wire.stopAfterMs)

  const toldBefore = connection.told.length
  const stopped = connection.stop().then(() => true)
  if (!(await Promise.race([stopped, ownTime(stopLimitMs)]))) {
    return [`not stopped after ${stopLimitMs} ms`, ...story(connection)]
  }
  const toldAtStop = connection.told.length
  runs.push({ deviceId, connection, toldAtStop })

  for (const rival of rivals) rival.close()
  // A black hole keeps even a FIN from the hub.
  await patiently(() => door.heal())
  await Promise.all(answering)
  const answers = await Promise.all(calls)
  const leftOpen = await closesAll(deviceId)
  const events = connection.told.map(({ event }) => event)
  const broken = [
    ...breaches(events),
    ...leaks(JSON.stringify(events), hub.connectionString(deviceId), connection.secrets),
    ...misnamed(connection.told.slice(toldBefore)),
    ...lateEvents(connection, toldAtStop),
    ...leftOpen,
    ...answers.flat(),
  ]
  return broken.length === 0 ? [] : [...broken, ...story(connection)]
}

type Call = Readonly<{ answerAfterMs: number; fails: boolean }>

const noSuchName = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })

function lookupBy({ lookups }: RandomWire): Lookup {
  const left = [...lookups]
  return async (_host, callback) => {
    const { afterMs, fails } = left.shift() ?? { afterMs: 0, fails: false }
    await sleep(afterMs)
    if (fails) callback(noSuchName, [])
    else callback(null, [{ address: '127.0.0.1', family: 4 }])
  }
}

async function answerMethod({ answerAfterMs, fails }: Call): Promise<MethodAnswer> {
  await sleep(answerAfterMs)
  if (fails) throw new Error('as the wire wants it')
  return { status: 200, payload: { answerAfterMs } }
}

/** A caller gets the device's own answer or one of the hub's words for none; @returns what else it got */
async function call(deviceId: string, { answerAfterMs, fails }: Call): Promise<string[]> {
  const payload = { answerAfterMs, fails }
  try {
    const methodName = 'ping'
    const { status } = await hub.invokeMethod({ deviceId }, { methodName, payload, responseTimeoutInSeconds: 1 })
    return status === (fails ? 500 : 200) ? [] : [`a method was answered with ${status}`]
  } catch (error) {
    return error instanceof HubError ? [] : [`a method failed: ${error}`]
  }
}

/** @returns false, after so long as this process counts it: a wait that the machine does not let it end is not counted */
async function ownTime(ms: number): Promise<false> {
  for (let leftMs = ms; leftMs > 0; leftMs -= ownTickMs) await sleep(ownTickMs, undefined, { ref: false })
  return false
}

function takeOver(protocol: Protocol, deviceId: string, door: Door): { close(): void } {
  if (protocol !== 'mqtt') {
    const rival = tapClient({ connectionString: hub.connectionString(deviceId), ca: hub.ca, protocol })
    rival.client.open().catch(() => undefined)
    return { close: () => rival.tap.abandon('abandoned') }
  }
  const rival = rawClient({ port: door.port, ca: hub.ca })
  const username = `${hub.hostName}/${deviceId}/?api-version=2021-04-12`
  // May wait for ever for a TLS that never comes; closing it is all that it needs.
  void connectRaw(rival, { clientId: deviceId, username, password: hub.sasToken({ deviceId }) })
  return rival
}

/** While a port is closed the kernel may lend its number to somebody's outgoing connection, for as long as that lives. */
async function patiently(change: () => Promise<void>): Promise<void> {
  for (let left = 50; ; left--) {
    try {
      return await change()
    } catch (error) {
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      await sleep(100)
    }
  }
}

const atHub = (deviceId: string) => hub.log.filter(event => 'deviceId' in event && event.deviceId === deviceId)

function openConnections(deviceId: string): number[] {
  const open = new Set<number>()
  for (const event of atHub(deviceId)) {
    if (event.type === 'tcpOpened') open.add(event.connection)
    if (event.type === 'tcpClosed') open.delete(event.connection)
  }
  return [...open]
}

/** @returns what the hub knows of connections that stay open */
async function closesAll(deviceId: string): Promise<string[]> {
  if (openConnections(deviceId).length === 0) return []
  const closed = hub.waitFor(({ type }) => type === 'tcpClosed' && openConnections(deviceId).length === 0, {
    timeoutMs: hubClosesWithinMs,
  })
  return closed.then(
    () => [],
    () => [`left open at the hub: ${openConnections(deviceId)} of ${JSON.stringify(atHub(deviceId), null, 1)}`],
  )
}

/** The goodbye that follows a stop is the stop's, whatever else was due at that moment. */
const misnamed = (told: readonly Told[]): string[] =>
  told.flatMap(({ event }) =>
    event.type === 'closed' && event.how === 'goodbye' && event.by === 'us' && event.reason !== 'shutdown'
      ? [`a stop is told as ${event.reason}`]
      : [],
  )

const lateEvents = ({ told }: WatchedConnection, toldAtStop: number): string[] =>
  told.slice(toldAtStop).map(({ event }) => `told after the end: ${sentence(event)}`)

const sentence = ({ type, ...rest }: WireEvent): string => `${type} ${JSON.stringify(rest)}`

const story = ({ told }: WatchedConnection): string[] =>
  told.map(({ event, incarnation }) => `incarnation ${incarnation}: ${sentence(event)}`)

/** @param runsPerWire how many wires there are for each fault */
export function holdRandomWires(protocol: Protocol, runsPerWire: number): void {
  t.teardown(() => hub.close())
  t.jobs = 10
  const holds = async (wires: fc.Arbitrary<RandomWire>, lane: number): Promise<void> => {
    let broken: readonly string[] = []
    const promises = fc.asyncProperty(fc.limitShrink(wires, shrinksMax), async wire => {
      const found = await run(protocol, wire)
      if (found.length > 0) broken = found
      return found.length === 0
    })
    const { failed, seed: used, counterexample } = await fc.check(promises, { seed: seed + lane, numRuns: runsPerWire })
    // What was broken comes first, because whoever reads a red run may see no more than its first line.
    if (failed) throw new Error(`${broken.join('\n')}\nseed ${used}: ${JSON.stringify(counterexample)}`)
  }
  // First, because they take longest.
  for (const lane of [0, 1]) {
    t.test(`a random wire around a renewal keeps every promise (${lane + 1})`, { buffered: true }, () =>
      holds(wireAroundRenewal(protocol), lane),
    )
  }

  for (const [index, kind] of faultKindsOf(protocol).entries()) {
    t.test(`a random wire with ${kind} keeps every promise`, { buffered: true }, () =>
      holds(wireWith(protocol, kind), index + 2),
    )
  }

  // Not buffered, so that it waits for those that run beside each other.
  t.test('when all of them are over, nothing has come late', { buffered: false }, async t => {
    const late = runs.flatMap(({ deviceId, connection, toldAtStop }) => [
      ...lateEvents(connection, toldAtStop).map(found => `${deviceId}: ${found}`),
      ...(openConnections(deviceId).length === 0 ? [] : [`${deviceId}: a connection was opened after the end`]),
    ])
    t.strictSame(late, [])
    t.strictSame(rejections, [])
    const stories = new Map<string, number>()
    for (const { event } of runs.flatMap(({ connection }) => connection.told)) {
      const story = event.type === 'closed' ? `closed at ${event.stage}` : event.type
      stories.set(story, (stories.get(story) ?? 0) + 1)
    }
    t.comment(`${runs.length} wires: ${[...stories].map(([story, count]) => `${count} ${story}`).join(', ')}`)
  })
}
