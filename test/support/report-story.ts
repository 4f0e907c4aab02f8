/** A day of a gateway as a report: outages of many causes, renewals, readings; as long and as strange as is wanted. */
import { catalogue } from '../../agent/diagnosis/catalogue.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { draftOf, episodeOf, type Line } from './recorded-ring.js'

const dayS = 86_400

/** Causes that an engineer meets, the frequent ones first. */
const causes = [
  'dns-failure',
  'peer-reset',
  'link-lost-keepalive',
  'no-network',
  'duplicate-device-id',
  'tls-interception',
  'throttled',
  'clock-skew',
  'event-loop-stall',
  'unknown-close',
]

const closed = { by: 'network', how: 'rst', stage: 'session', reason: null, error: null, certificate: null }

const dial = { protocol: 'mqtt', host: 'my-hub.azure-devices.net', port: 8883 }

/**
 * @param count how many outages, evenly over a day; each tenth a planned renewal
 * @param change what an episode says otherwise
 * @param sampleEveryS as the daemon does it: 10
 */
export function* dayLines(
  count: number,
  change: (n: number) => Partial<Episode> = () => ({}),
  sampleEveryS = 60,
): Generator<Line> {
  const everyS = dayS / count
  const lastsS = (n: number): number => Math.min(everyS / 3, 1 + ((n * 37) % 240))
  yield { atS: 0, type: 'start', conn: null, data: {} }
  let sampledS = 0
  for (let n = 0; n < count; n++) {
    const fromS = n * everyS + everyS / 2
    for (; sampledS < fromS; sampledS += sampleEveryS) yield sampleAt(sampledS)
    yield* outage(n, fromS, n % 10 === 9 ? 0.4 : lastsS(n), everyS, change(n))
  }
  for (; sampledS < dayS; sampledS += sampleEveryS) yield sampleAt(sampledS)
}

function* outage(n: number, fromS: number, lastsS: number, everyS: number, change: Partial<Episode>): Generator<Line> {
  const planned = n % 10 === 9
  const toS = fromS + lastsS
  const at = (s: number): string => draftOf({ atS: s, type: 'log', data: {} }).at
  const verdict = verdictOf(
    planned ? 'sas-renewal-expected' : (causes[(n * n + n) % causes.length] ?? 'unknown-close'),
    n,
  )
  const wire = (s: number, type: string, data: object): Line => ({
    atS: s,
    type: 'wire',
    data: { type, attempt: n, ...data },
  })
  const lasted = (everyS - lastsS) * 1e3
  yield wire(fromS, 'closed', { ...closed, lastedMs: lasted })
  yield {
    atS: fromS,
    type: 'session',
    data: { startedAt: at(fromS - lasted / 1e3), endedAt: at(fromS), lastedMs: lasted, closed },
  }
  yield wire(fromS, 'retryScheduled', { delayMs: 300, failures: 0, policy: 'network' })
  if (!planned) {
    const error = { name: 'Error', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND my-hub.azure-devices.net' }
    yield wire(fromS + lastsS / 4, 'connecting', dial)
    yield wire(fromS + lastsS / 2, 'closed', {
      by: 'network',
      how: 'error',
      stage: 'dns',
      reason: null,
      error,
      lastedMs: null,
    })
    yield {
      atS: fromS + lastsS / 2,
      type: 'log',
      level: 40,
      conn: null,
      data: { msg: 'the name of the hub does not resolve' },
    }
  }
  yield wire(toS - lastsS / 8, 'connecting', dial)
  yield wire(toS - lastsS / 8, 'resolved', { addresses: ['192.0.2.10'], ms: 12 })
  yield wire(toS - lastsS / 8, 'tcpConnected', { address: '192.0.2.10', localAddress: '10.0.0.5', ms: 31 })
  yield wire(toS - lastsS / 8, 'tlsSecured', { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', ms: 64 })
  yield wire(toS, 'accepted', { sessionPresent: false, ms: 40 })
  const facts = { startedAt: at(fromS), endedAt: at(toS), durationMs: lastsS * 1e3, planned, verdict }
  yield {
    atS: toS,
    type: 'episode',
    level: 40,
    data: episodeOf(`e${n}`, fromS, { ...facts, session: { lastedMs: lasted }, ...change }),
  }
}

function verdictOf(id: string, n: number): Episode['verdict'] {
  const { title, hubCodes, nextSteps, docs } = catalogue.find(cause => cause.id === id)!
  return {
    cause: id,
    confidence: (['certain', 'likely', 'possible'] as const)[n % 3] ?? 'unknown',
    title,
    hubCodes,
    evidence: [
      `The session had lasted ${10 + n} s when it was reset by the other side.`,
      'Attempt 1 came as far as dns: getaddrinfo ENOTFOUND my-hub.azure-devices.net.',
    ],
    nextSteps: nextSteps.device,
    docs: docs.map(({ address }) => address),
    runnersUp: [{ cause: 'hub-unreachable', confidence: 'possible', toDecide: 'ask another host in the same network' }],
  }
}

function sampleAt(atS: number): Line {
  const wave = Math.sin(atS / 5_000)
  const isMinute = atS % 60 === 0
  const tcp = isMinute
    ? { rttMs: 22 + 8 * wave + (atS % 3_600 === 0 ? 90 : 0), retransmitted: Math.floor(atS / 4_000) % 9 }
    : null
  return {
    atS,
    type: 'sample',
    level: 20,
    conn: null,
    data: {
      interfaces: {
        byName: {
          eth0: { wireless: null },
          wlan0: { wireless: { signalDbm: Math.round(-62 + 9 * wave), quality: 50 } },
        },
      },
      tcp,
      memory: { availableBytes: 4e8 + 5e7 * wave, own: { rssBytes: 7.4e7 + 4e6 * Math.cos(atS / 900) } },
      temperature: { zones: [{ zone: 'thermal_zone0', type: 'cpu-thermal', celsius: 51 + 6 * wave }] },
      disk: { freeBytes: 9e9 - atS * 2e3 },
    },
  }
}
