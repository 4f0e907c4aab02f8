/** A record as one line for people, whatever wrote it: on the terminal, and as the text of GetModuleLogs. */
import { duration } from '../diagnosis/words.js'
import { type InferredGap, type LogRecord, levels, type RecordType } from './record.js'

type AnyRecord = LogRecord | InferredGap
type Data = Readonly<Record<string, unknown>>

/** Longer texts are cut: the whole of it is in `logs --json`. */
const textMax = 2_000

/** Time, level, type, connection and what happened. Holds no control characters, so it cannot play tricks on a terminal. */
export function sentence(record: AnyRecord): string {
  const conn = record.conn === null ? '' : `${record.conn} `
  return harmless(`${record.at} ${levelName(record.level).padEnd(5)} ${record.type.padEnd(7)} ${conn}${told(record)}`)
}

/** What happened, after its type; of a `log` record the message alone. */
export function words(record: AnyRecord): string {
  return harmless(record.type === 'log' ? told(record) : `${record.type}: ${told(record)}`)
}

/** pino's word for the number, or for the next lower one. */
export function levelName(level: number): string {
  const names = Object.entries(levels)
  return (names.findLast(([, number]) => number <= level) ?? names[0])?.[0] ?? ''
}

/** Control characters, line ends and marks that turn the direction of writing are shown by number. */
const harmless = (text: string): string =>
  (text.length > textMax ? `${text.slice(0, textMax)}...` : text).replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu,
    character => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )

/** What is read here was written by some version of hubrec, not necessarily this one: a missing field is left out. */
function told({ type, data }: AnyRecord): string {
  const tell = tellers.get(type)
  return tell ? tell(data) : rest(data)
}

type Tell = (data: Data) => string

const tellers: ReadonlyMap<RecordType, Tell> = new Map<RecordType, Tell>([
  [
    'wire',
    data => {
      const tell = wireTellers.get(plain(data.type))
      const attempt = typeof data.attempt === 'number' ? ` (attempt ${data.attempt})` : ''
      return `${tell ? tell(data) : rest(data)}${attempt}`
    },
  ],
  [
    'sample',
    data =>
      Array.isArray(data.probes)
        ? say`the way to the hub was asked: ${listed(data.probes.map(each => probed(inner(each))))}`
        : listed(Object.keys(data).filter(name => data[name] !== null)),
  ],
  ['log', data => (typeof data.msg === 'string' ? data.msg : rest(data))],
  ['session', ({ lastedMs, closed }) => `a session of ${lasting(lastedMs)} has ended: ${closing(inner(closed))}`],
  [
    'episode',
    ({ verdict, state, durationMs, planned, id }) => {
      const { cause, confidence, title } = inner(verdict)
      const length = state === 'closed' ? `over after ${lasting(durationMs)}` : 'goes on'
      return say`${cause} (${confidence}), ${length}${planned === true ? ', planned' : ''}: ${title} [${id}]`
    },
  ],
  [
    'gap',
    ({ count, reason, fromSeq, toSeq }) => {
      const numbers = typeof fromSeq === 'number' ? say`, ${fromSeq} to ${toSeq}` : ''
      return say`${count} records are missing here (${reason}${numbers})`
    },
  ],
  [
    'context',
    ({ startedAt, session, episode, why }) => {
      const run = startedAt === undefined ? null : say`hubrec runs since ${startedAt}`
      const online = session ? say`connected since ${inner(session).at}` : null
      const outage = episode ? say`outage ${inner(episode).id} goes on` : null
      return listed([why === 'identity' ? 'another credential or hub' : 'a segment begins', run, online, outage])
    },
  ],
  ['task', ({ correlationId, step, status, message }) => listed([say`${correlationId}: ${step}`, status, message])],
  ['condition', ({ text, state }) => listed([state === 'over' ? 'over' : null, text], ': ')],
  ['mark', ({ note, id }) => listed([note, id === undefined ? null : say`[${id}]`], ' ')],
  ['start', data => listed(['hubrec started', rest(data)])],
  ['stop', data => listed(['hubrec stopped', rest(data)])],
])

const wireTellers: ReadonlyMap<string, Tell> = new Map<string, Tell>([
  [
    'connecting',
    ({ host, port, gateway, credential }) => {
      const { kind, expiresAt } = inner(credential)
      const until = typeof expiresAt === 'string' ? say` until ${expiresAt}` : ''
      const by = kind === undefined ? '' : say` with ${credentials.get(plain(kind)) ?? kind}${until}`
      return say`connecting to ${gateway === true ? 'the gateway ' : ''}${host}:${port}${by}`
    },
  ],
  ['resolved', ({ addresses, ms }) => `resolved to ${listed(array(addresses))} in ${lasting(ms)}`],
  [
    'tcpConnected',
    ({ address, localAddress, ms }) => say`TCP connected to ${address} from ${localAddress} in ${lasting(ms)}`,
  ],
  ['proxyConnected', ({ proxy, ms }) => say`through the proxy ${proxy} in ${lasting(ms)}`],
  [
    'tlsSecured',
    ({ version, cipher, certificate, ms }) => {
      const { subject, validTo } = inner(certificate)
      return say`TLS secured in ${lasting(ms)}: ${version}, ${cipher}, certificate of ${subject} until ${validTo}`
    },
  ],
  ['upgraded', ({ status, ms }) => say`upgraded to WebSocket, status ${status}, in ${lasting(ms)}`],
  ['authorized', ({ status, description, ms }) => say`authorized, ${status} ${description}, in ${lasting(ms)}`],
  [
    'accepted',
    ({ sessionPresent, ms }) =>
      `accepted by the hub in ${lasting(ms)}${sessionPresent === true ? ', which remembers the session' : ''}`,
  ],
  [
    'refused',
    ({ step, code, reason, headers }) => {
      // Releases that did not say who had spoken knew only the hub itself.
      const who = refusers.get(plain(step)) ?? 'by the hub'
      const { server, location } = inner(headers)
      return listed([
        say`refused ${who}, ${listed([code, reason], ': ')}`,
        named('server', server),
        named('location', location),
      ])
    },
  ],
  ['attached', ({ link, role }) => say`link ${link} attached${directionOf(role)}`],
  [
    'subscribed',
    ({ granted, ok }) =>
      `${ok === true ? 'subscribed' : 'subscription refused'}: ${listed(Object.keys(inner(granted)))}`,
  ],
  [
    'detached',
    ({ link, role, condition, description }) =>
      say`link ${link}${directionOf(role)} detached, ${reasonOf(condition, description)}`,
  ],
  [
    'rejected',
    ({ link, condition, description }) =>
      say`a message on the link ${link} was rejected by the hub, ${reasonOf(condition, description)}`,
  ],
  [
    'protocolChosen',
    ({ from, protocol, why }) => listed([say`from now on over ${protocol} in place of ${from}`, why], ': '),
  ],
  [
    'provisioningStarted',
    ({ scopeId, registrationId }) =>
      say`asking the provisioning service for the hub of ${registrationId} in the scope ${scopeId}`,
  ],
  [
    'provisioningDone',
    ({ ok, hub, reassigned, error, unreached }) =>
      ok === true
        ? listed(
            [
              say`the provisioning service named ${reassigned === true ? 'another hub than before' : 'the hub'}: ${hub}`,
              unreached ? `asked in the other way, because of ${failure(inner(unreached))}` : null,
            ],
            '; ',
          )
        : listed(['the provisioning service named no hub', error ? failure(inner(error)) : null], ': '),
  ],
  ['pingSent', () => 'ping sent'],
  ['pongReceived', ({ rttMs }) => `pong received after ${lasting(rttMs)}`],
  ['packetSent', data => say`sent ${packet(data)}`],
  ['packetReceived', data => say`received ${packet(data)}`],
  ['bytes', ({ read, written }) => say`${read} bytes read, ${written} written`],
  [
    'retryScheduled',
    ({ delayMs, failures, policy }) => say`next attempt in ${lasting(delayMs)} (${policy}, ${failures} failed before)`,
  ],
  ['renewalStarted', ({ why }) => (why === 'x509' ? 'renewing the certificate' : 'renewing the token')],
  ['renewalDone', ({ ok }) => (ok === true ? 'renewed' : 'it could not be renewed')],
  ['sdkError', ({ during, error }) => say`the SDK said during ${during}: ${failure(inner(error))}`],
  ['closed', data => `closed ${closing(data)}`],
])

const credentials: ReadonlyMap<string, string> = new Map([
  ['key', 'a key'],
  ['x509', 'a certificate'],
  ['sas', 'a ready-made token'],
  ['edge', 'what IoT Edge signs'],
])

const refusers: ReadonlyMap<string, string> = new Map([
  ['proxy', 'by the proxy'],
  ['upgrade', 'at the WebSocket upgrade'],
  ['connack', 'by the hub'],
  ['cbs', 'by the hub at the put-token'],
])

const directionOf = (role: unknown): string =>
  role === 'sender' ? ' for sending' : role === 'receiver' ? ' for receiving' : ''

const reasonOf = (condition: unknown, description: unknown): string =>
  listed([condition, description], ': ') || 'without an error'

const named = (name: string, value: unknown): string | null => (value === undefined ? null : say`${name} ${value}`)

/** Its name, and whatever else its header has. */
function packet({ packet, type, monoMs, protocol, attempt, ...header }: Data): string {
  return listed([packet, ...Object.entries(header).map(([name, value]) => say`${name} ${value}`)])
}

function closing({ by, how, stage, reason, error, silentMs }: Data): string {
  const why = typeof reason === 'string' ? `, ${reason}` : ''
  const silence = typeof silentMs === 'number' ? `, ${duration(silentMs)} after the last byte` : ''
  const met = error ? `: ${failure(inner(error))}` : ''
  return say`by ${by} (${how}${why}) at stage ${stage}${silence}${met}`
}

function failure({ name, code, message, errors }: Data): string {
  const each = array(errors)
  if (each.length > 0)
    return listed(
      each.map(one => failure(inner(one))),
      '; ',
    )
  const text = listed([name, message], ': ')
  return typeof code === 'string' && !text.includes(code) ? `${text} (${code})` : text
}

const lasting = (ms: unknown): string => duration(typeof ms === 'number' ? ms : Number.NaN)

const listed = (parts: readonly unknown[], separator = ', '): string =>
  parts
    .filter(part => part !== undefined && part !== null && part !== '')
    .map(plain)
    .join(separator)

/** A template that takes any value for what it is: one from a file may be an object whose `toString` is a number. */
const say = (texts: TemplateStringsArray, ...values: unknown[]): string =>
  texts.reduce((line, text, index) => `${line}${plain(values[index - 1])}${text}`)

const plain = (value: unknown): string => {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return value === undefined ? '' : String(value)
}

const rest = (data: Data): string => (Object.keys(data).length === 0 ? '' : JSON.stringify(data))

const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** The object at that place, or an empty one. */
const inner = (value: unknown): Data => (typeof value === 'object' && value !== null ? (value as Data) : {})

/** A port or a name tells two questions of one kind apart. */
const probed = ({ probe, port, resolver, error, isPortal }: Data): string => {
  const which = resolver === undefined ? port : resolver
  const { code = 'failed' } = inner(error)
  if (isPortal === true) return 'portal found'
  return `${plain(probe)}${which === undefined ? '' : ` ${plain(which)}`} ${error === null ? 'well' : plain(code)}`
}
