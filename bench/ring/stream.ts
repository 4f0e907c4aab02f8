/**
 * The records that all contenders are given: what a gateway with eight connections would have recorded, the same for the same
 * seed, without end. It is told event by event as the daemon would tell it, so that what repeats in a real ring (boot ids,
 * names, counters that grow) repeats here, and what does not (times, delays, ids) does not.
 */
import type { Episode } from '../../agent/evidence/episode.js'
import { type Draft, levels, type RecordType } from '../../agent/evidence/record.js'
import type { Failure, RetryPolicyName, WireEvent } from '../../transports/wire-event.js'
import { random } from '../random.js'

/** A record as it is handed to a contender. Those that write a level of their own are given none. */
export type Entry = Omit<Draft, 'level'> & { readonly level?: number }

/** How a contender wants its records. They come in its shape from the start: a copy would count as its memory. */
export type Shape = (
  at: string,
  bootId: string,
  monoMs: number,
  level: number,
  type: RecordType,
  conn: string | null,
  inc: number | null,
  data: Draft['data'],
) => Entry

export const asDraft: Shape = (at, bootId, monoMs, level, type, conn, inc, data) => ({
  at,
  bootId,
  monoMs,
  level,
  type,
  conn,
  inc,
  data,
})

export type Stream = Readonly<{
  next(): Entry
  take(count: number): Entry[]
  /** Wall time of the newest. */
  nowMs(): number
}>

/** Something that lives beside others: each number it yields is how many milliseconds it waits. */
type Life = Generator<number, never>

const firstMs = Date.UTC(2026, 10, 22, 10)
const host = 'fleet-west-42.azure-devices.net'
const conns = ['hubrec', 'telemetry', 'plc-1', 'plc-2', 'meter', 'camera', 'hvac', 'gate']
const sampleEveryMs = 180_000
const logEveryMs = 3_000

export function recordStream(seed: number, shape: Shape = asDraft): Stream {
  const dice = random(seed)
  const bootId = `${dice.hex(8)}-${dice.hex(4)}-4${dice.hex(3)}-a${dice.hex(3)}-${dice.hex(12)}`
  const bootedMs = dice.between(20_000, 90_000)
  let nowMs = 0
  let told: Entry | null = null

  /** Exactly one record for each turn of a life; the daemon writes it a moment after it happened. */
  const tell = (type: RecordType, level: number, conn: string | null, inc: number | null, data: object): void => {
    const monoMs = micro(bootedMs + nowMs + dice.between(0.004, 0.3))
    const at = new Date(firstMs + nowMs).toISOString()
    told = shape(at, bootId, monoMs, level, type, conn, inc, { ...data })
  }
  const world: World = { dice, bootId, tell, monoMs: () => micro(bootedMs + nowMs), wallMs: () => firstMs + nowMs }

  const lives = [...conns.map(conn => connection(world, conn)), sampler(world), operator(world)].map(life => ({
    life,
    dueMs: dice.between(0, 2_000),
  }))

  const next = (): Entry => {
    for (;;) {
      const first = lives.reduce((earliest, other) => (other.dueMs < earliest.dueMs ? other : earliest))
      nowMs = first.dueMs
      first.dueMs += first.life.next().value
      if (told === null) continue
      const entry = told
      told = null
      return entry
    }
  }
  return { next, take: count => Array.from({ length: count }, next), nowMs: () => firstMs + nowMs }
}

type Dice = ReturnType<typeof random>

type World = Readonly<{
  dice: Dice
  bootId: string
  tell(type: RecordType, level: number, conn: string | null, inc: number | null, data: object): void
  monoMs(): number
  wallMs(): number
}>

type Told = WireEvent extends infer Event
  ? Event extends WireEvent
    ? Omit<Event, 'monoMs' | 'protocol' | 'attempt'>
    : never
  : never

/** Connects, is pinged for a while, is cut, gets its episode, and tries again until it is back. */
function* connection({ dice, tell, monoMs, wallMs }: World, conn: string): Life {
  const keepaliveMs = dice.pick([10_000, 15_000, 20_000, 30_000])
  let attempt = 0
  let failures = 0
  let episode: Episode | null = null
  const wire = (level: number, event: Told): void => {
    const { type, ...rest } = event
    tell('wire', level, conn, attempt, { type, monoMs: monoMs(), protocol: 'mqtt', attempt, ...rest })
  }

  for (;;) {
    attempt++
    wire(levels.info, { type: 'connecting', host, port: 8883, gateway: false })
    yield dice.between(1, 60)
    const hurdle = failures < 6 && dice.chance(0.35) ? dice.pick(hurdles) : null
    if (hurdle?.stage !== 'dns') {
      wire(levels.info, { type: 'resolved', addresses: [dice.pick(addresses)], ms: micro(dice.between(1, 60)) })
      yield dice.between(8, 90)
    }
    if (hurdle === null) {
      const localAddress = '10.20.4.17'
      wire(levels.info, {
        type: 'tcpConnected',
        address: dice.pick(addresses),
        localAddress,
        ms: micro(dice.between(8, 90)),
      })
      yield dice.between(20, 200)
      wire(levels.info, {
        type: 'tlsSecured',
        version: 'TLSv1.2',
        cipher: 'ECDHE-RSA-AES256-GCM-SHA384',
        certificate,
        ms: micro(dice.between(20, 200)),
      })
      yield dice.between(15, 150)
      wire(levels.info, { type: 'accepted', sessionPresent: dice.chance(0.7), ms: micro(dice.between(15, 150)) })
      yield dice.between(10, 60)
      wire(levels.info, { type: 'subscribed', granted: { '$iothub/methods/POST/#': 0 }, ok: true })
      if (episode) {
        yield dice.between(0.1, 1)
        const durationMs = Math.round(wallMs() - Date.parse(episode.startedAt))
        const endedAt = new Date(wallMs()).toISOString()
        episode = { ...episode, state: 'closed', provisional: false, endedAt, durationMs, attempts: failures + 1 }
        tell('episode', levels.warn, conn, attempt, episode)
        episode = null
        yield dice.between(0.1, 1)
        tell('log', levels.info, null, null, {
          msg: `back: ${verdict.title}`,
          cause: verdict.cause,
          confidence: 'certain',
        })
      }
      failures = 0

      const sinceMs = wallMs()
      const pings = Math.ceil(-Math.log(1 - dice.next()) * 400)
      for (let ping = 0; ping < pings; ping++) {
        yield keepaliveMs + dice.between(0, 40)
        wire(levels.debug, { type: 'pingSent' })
        const rttMs = micro(dice.between(14, 60) + (dice.chance(0.03) ? dice.between(100, 900) : 0))
        yield rttMs
        wire(levels.debug, { type: 'pongReceived', rttMs })
      }

      const silentMs = micro(dice.between(100, keepaliveMs))
      yield silentMs
      const lastedMs = micro(wallMs() - sinceMs)
      const closed: Told = {
        type: 'closed',
        ...dice.pick(ends),
        stage: 'session',
        certificate: null,
        silentMs,
        lastedMs,
        pingUnansweredMs: dice.chance(0.4) ? micro(dice.between(1_000, 9_000)) : null,
        inFlightPublishes: dice.whole(3),
        afterPublish: dice.chance(0.2),
        bytesRead: 5_800 + 4 * pings,
        bytesWritten: 2_100 + 2 * pings + dice.whole(40_000),
      }
      const closedAt = { monoMs: monoMs(), protocol: 'mqtt' as const, attempt }
      wire(levels.warn, closed)
      yield dice.between(0.1, 1)
      tell('session', levels.info, conn, attempt, {
        startedAt: new Date(sinceMs).toISOString(),
        endedAt: new Date(wallMs()).toISOString(),
        lastedMs,
        subscribed: true,
        credential: 'c38a0b0e',
        closed: { ...closed, ...closedAt },
      })
      yield dice.between(0.1, 1)
      episode = openEpisode(dice.hex(12), conn, wallMs(), lastedMs)
      tell('episode', levels.warn, conn, attempt, episode)
      yield dice.between(0.1, 1)
    } else {
      yield dice.between(10, 4_000)
      wire(levels.warn, {
        type: 'closed',
        by: 'network',
        how: 'error',
        stage: hurdle.stage,
        reason: null,
        error: hurdle.error,
        certificate: null,
        silentMs: micro(dice.between(1, 4_000)),
        lastedMs: null,
        pingUnansweredMs: null,
        inFlightPublishes: 0,
        afterPublish: false,
        bytesRead: 0,
        bytesWritten: 0,
      })
      yield dice.between(0.1, 1)
    }

    const error = { name: 'NotConnectedError', message: 'Connection to the server has been closed.' }
    wire(levels.warn, { type: 'sdkError', during: hurdle === null ? 'session' : 'open', error })
    yield dice.between(0.1, 1)
    failures++
    const delayMs = Math.round(dice.between(0.5, 1) * Math.min(300_000, 1_000 * 2 ** failures))
    const policy: RetryPolicyName = 'network'
    wire(levels.info, { type: 'retryScheduled', delayMs, failures, policy })
    yield delayMs
  }
}

/** What a Raspberry Pi with a cable and a modem finds at each sample. */
function* sampler({ dice, bootId, tell, monoMs, wallMs }: World): Life {
  const eth0 = counters(dice.whole(1e9))
  const wwan0 = counters(dice.whole(1e8))
  const cpu = { busyMs: dice.whole(1e6), idleMs: dice.whole(1e8), ioWaitMs: dice.whole(1e5), stealMs: 0 }
  const own = { userMs: 4_000, systemMs: 900 }
  let freeBytes = 21_474_836_480
  let celsius = 52
  for (;;) {
    for (const link of [eth0, wwan0]) {
      link.rxBytes += dice.whole(900_000)
      link.rxPackets += dice.whole(2_000)
      link.txBytes += dice.whole(300_000)
      link.txPackets += dice.whole(1_500)
    }
    cpu.busyMs += dice.whole(30_000)
    cpu.idleMs += sampleEveryMs * 4 - dice.whole(30_000)
    cpu.ioWaitMs += dice.whole(300)
    own.userMs += dice.whole(400)
    own.systemMs += dice.whole(100)
    freeBytes -= 4_096 * dice.whole(50)
    celsius = Math.min(80, Math.max(40, celsius + dice.between(-1, 1)))
    const lo = { ...counters(52_311), rxPackets: 611, txPackets: 611 }
    const rssBytes = 92_000_000 + 4_096 * dice.whole(4_000)
    tell('sample', levels.debug, null, null, {
      interfaces: {
        byName: {
          lo: {
            operstate: 'unknown',
            carrier: 1,
            carrierChanges: 0,
            addresses: ['127.0.0.1', '::1'],
            wireless: null,
            ...lo,
          },
          eth0: {
            operstate: 'up',
            carrier: 1,
            carrierChanges: 2,
            addresses: ['10.20.4.17', 'fe80::dea6:32ff:fe0c:71b2'],
            wireless: null,
            ...eth0,
          },
          wwan0: {
            operstate: 'up',
            carrier: 1,
            carrierChanges: 14,
            addresses: ['100.71.8.201'],
            wireless: null,
            ...wwan0,
          },
        },
        omitted: 0,
      },
      routes: {
        v4: [
          { interface: 'eth0', gateway: '10.20.4.1', metric: 100 },
          { interface: 'wwan0', gateway: '100.71.8.1', metric: 700 },
        ],
        v6: [],
      },
      resolvers: { nameservers: ['127.0.0.53'], search: ['plant.example'], uplinks: ['10.20.4.1', '9.9.9.9'] },
      memory: {
        totalBytes: 3_978_301_440,
        availableBytes: 2_900_000_000 + 4_096 * dice.whole(60_000),
        swapTotalBytes: 104_853_504,
        swapFreeBytes: 104_853_504,
        own: {
          rssBytes,
          swapBytes: 0,
          heapUsedBytes: Math.round(rssBytes * dice.between(0.2, 0.4)),
          heapTotalBytes: 48_758_784,
          externalBytes: 6_222_106 + dice.whole(90_000),
        },
      },
      pressure: Object.fromEntries(
        ['cpu', 'io', 'memory'].map(name => [
          name,
          { someAvg10: dice.chance(0.5) ? 0 : hundredth(dice.between(0, 9)), fullAvg10: 0 },
        ]),
      ),
      load: {
        average: {
          load1: hundredth(dice.between(0.1, 1.4)),
          load5: hundredth(dice.between(0.2, 0.9)),
          load15: hundredth(dice.between(0.3, 0.6)),
          running: 1 + dice.whole(3),
          threads: 211 + dice.whole(9),
        },
        cpu: { ...cpu },
        own: { ...own },
      },
      disk: { totalBytes: 31_268_536_320, freeBytes, totalFiles: 1_900_544, freeFiles: 1_799_120 - dice.whole(40) },
      temperature: {
        zones: [{ zone: 'thermal_zone0', type: 'cpu-thermal', celsius: Math.round(celsius * 1e3) / 1e3 }],
      },
      power: {
        underVoltage: false,
        frequencyCapped: false,
        throttled: false,
        temperatureLimited: false,
        underVoltageSeen: false,
        throttledSeen: false,
      },
      eventLoop: {
        meanMs: hundredth(dice.between(0.1, 0.3)),
        p99Ms: hundredth(dice.between(0.3, 2)),
        maxMs: hundredth(dice.between(2, 20)),
      },
      clock: {
        wall: new Date(wallMs()).toISOString(),
        monoMs: Math.round(monoMs()),
        bootMs: Math.round(monoMs()),
        bootId,
        synchronised: true,
      },
    })
    yield sampleEveryMs
  }
}

/** What applications and the daemon itself have to say in between. */
function* operator({ dice, tell }: World): Life {
  for (;;) {
    const { level, msg, fields } = dice.pick(logLines)(dice)
    tell('log', level, null, null, { msg, ...fields })
    yield dice.between(0.2, 1.8) * logEveryMs
  }
}

const addresses = ['20.49.109.142', '20.49.109.143', '20.49.110.8']

const certificate = {
  subject: 'CN=*.azure-devices.net, O=Microsoft Corporation, L=Redmond, ST=WA, C=US',
  issuer: 'CN=Microsoft Azure RSA TLS Issuing CA 04, O=Microsoft Corporation, C=US',
  validFrom: '2026-06-02T08:14:55.000Z',
  validTo: '2026-11-29T08:14:55.000Z',
  altNames: 'DNS:*.azure-devices.net, DNS:*.amqpws.azure-devices.net',
  fingerprint256: '84:23:F4:40:E3:5A:85:84:BD:F3:F1:1C:29:6D:9E:AC:E9:C7:DF:C6:4A:43:EF:9F:A7:2B:8A:CD:3B:6F:31:1A',
  knownRoot: null,
}

const hurdles: readonly { stage: 'dns' | 'tcp'; error: Failure }[] = [
  {
    stage: 'dns',
    error: { name: 'Error', message: `getaddrinfo EAI_AGAIN ${host}`, code: 'EAI_AGAIN', syscall: 'getaddrinfo' },
  },
  {
    stage: 'tcp',
    error: {
      name: 'Error',
      message: 'connect ETIMEDOUT 20.49.109.142:8883',
      code: 'ETIMEDOUT',
      syscall: 'connect',
      address: '20.49.109.142:8883',
    },
  },
  {
    stage: 'tcp',
    error: {
      name: 'Error',
      message: 'connect ENETUNREACH 20.49.109.142:8883',
      code: 'ENETUNREACH',
      syscall: 'connect',
      address: '20.49.109.142:8883',
    },
  },
]

const ends: readonly Pick<Extract<Told, { type: 'closed' }>, 'by' | 'how' | 'reason' | 'error'>[] = [
  {
    by: 'unknown',
    how: 'rst',
    reason: null,
    error: { name: 'Error', message: 'read ECONNRESET', code: 'ECONNRESET', syscall: 'read' },
  },
  { by: 'unknown', how: 'fin', reason: null, error: null },
  { by: 'us', how: 'timeout', reason: 'silence', error: null },
]

type Line = Readonly<{ level: number; msg: string; fields: Readonly<Record<string, unknown>> }>

const logLines: readonly ((dice: Dice) => Line)[] = [
  dice => ({
    level: levels.info,
    msg: 'a batch was handed to the hub',
    fields: {
      module: dice.pick(conns),
      messages: 1 + dice.whole(60),
      bytes: dice.whole(90_000),
      ms: micro(dice.between(20, 400)),
    },
  }),
  dice => ({
    level: levels.info,
    msg: 'a direct method was answered',
    fields: {
      method: dice.pick(['GetStatus', 'ping', 'SetPoint', 'GetModuleLogs']),
      requestId: dice.hex(32),
      status: 200,
      ms: dice.whole(900),
    },
  }),
  dice => ({
    level: levels.info,
    msg: `POST /ingest/${dice.hex(6)} 202`,
    fields: {
      module: 'telemetry',
      traceparent: `00-${dice.hex(32)}-${dice.hex(16)}-01`,
      ms: micro(dice.between(2, 90)),
    },
  }),
  dice => ({
    level: levels.warn,
    msg: 'a value was outside of its limits and was sent at once',
    fields: {
      module: dice.pick(conns),
      point: `40${1_000 + dice.whole(120)}`,
      value: hundredth(dice.between(-40, 400)),
      limit: 85,
    },
  }),
  dice => ({
    level: levels.info,
    msg: 'read 24 registers',
    fields: {
      module: dice.pick(['plc-1', 'plc-2']),
      unit: 1 + dice.whole(16),
      crc: dice.hex(4),
      ms: micro(dice.between(8, 120)),
    },
  }),
  dice => ({
    level: levels.info,
    msg: `frame ${dice.whole(1e6)} of ${dice.pick(['north', 'south', 'dock', 'yard'])} was kept`,
    fields: { sha256: dice.hex(64), bytes: dice.whole(900_000), faces: 0 },
  }),
  dice => ({
    level: levels.info,
    msg: 'power',
    fields: Object.fromEntries(['l1', 'l2', 'l3', 'kwh'].map(name => [name, micro(dice.between(0, 9_000))])),
  }),
  dice => ({
    level: levels.warn,
    msg: 'the request is tried again',
    fields: {
      module: dice.pick(conns),
      attempt: 1 + dice.whole(4),
      error: { name: 'Error', message: `timeout after ${1_000 + dice.whole(4_000)} ms`, code: 'ETIMEDOUT' },
    },
  }),
]

const verdict: Episode['verdict'] = {
  cause: 'peer-reset',
  confidence: 'certain',
  title: 'The connection was reset',
  hubCodes: ['404104'],
  evidence: [],
  nextSteps: [
    'Run `hubrec episodes` and see whether resets come at fixed times or after the same idle time: then a router or firewall makes them.',
    'Look in the log of the router or firewall for this time.',
    'Record the next one: `tcpdump -ni any -w reset.pcap "tcp port 8883 and tcp[tcpflags] & tcp-rst != 0"`. A TTL unlike that of the other packets gives away a box in between.',
    'In the portal, look in the Connections log of the device at this time (UTC): no row at all points to the network.',
  ],
  docs: [
    'https://learn.microsoft.com/azure/iot-hub/troubleshoot-error-codes',
    'https://learn.microsoft.com/azure/iot-hub/iot-hub-troubleshoot-connectivity',
  ],
  runnersUp: [
    {
      cause: 'nat-idle-timeout',
      confidence: 'possible',
      toDecide: 'Compare how long the line had been silent at several resets: always the same time points to a router.',
    },
    {
      cause: 'hub-upgrade-or-failover',
      confidence: 'possible',
      toDecide: 'Look for 400029 or 404012 in the Connections log at this time (UTC).',
    },
  ],
}

function openEpisode(id: string, conn: string, atMs: number, lastedMs: number): Episode {
  return {
    id,
    conn,
    state: 'open',
    provisional: true,
    planned: false,
    protocol: 'mqtt',
    startedAt: new Date(atMs).toISOString(),
    endedAt: null,
    durationMs: null,
    session: { lastedMs: Math.round(lastedMs) },
    detectedAfterMs: 0,
    attempts: 0,
    waitedMs: 0,
    sdkSaid: null,
    verdict: {
      ...verdict,
      evidence: [
        'A TCP reset (RST) arrived in the session: read ECONNRESET.',
        `The session had lasted ${Math.round(lastedMs / 1e3)} s.`,
      ],
    },
  }
}

const counters = (bytes: number) => ({
  rxBytes: bytes,
  rxPackets: Math.round(bytes / 700),
  rxErrors: 0,
  rxDropped: 0,
  txBytes: Math.round(bytes / 3),
  txPackets: Math.round(bytes / 1_100),
  txErrors: 0,
  txDropped: 0,
})

const micro = (ms: number): number => Math.round(ms * 1e3) / 1e3

const hundredth = (value: number): number => Math.round(value * 100) / 100
