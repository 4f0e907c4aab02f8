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
  ['sample', data => listed(Object.keys(data).filter(name => data[name] !== null))],
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
    ({ startedAt, session, episode }) => {
      const run = startedAt === undefined ? null : say`hubrec runs since ${startedAt}`
      const online = session ? say`connected since ${inner(session).at}` : null
      const outage = episode ? say`outage ${inner(episode).id} goes on` : null
      return listed(['a segment begins', run, online, outage])
    },
  ],
  ['task', ({ correlationId, step, status, message }) => listed([say`${correlationId}: ${step}`, status, message])],
  ['mark', ({ note, id }) => listed([note, id === undefined ? null : say`[${id}]`], ' ')],
  ['start', data => listed(['hubrec started', rest(data)])],
  ['stop', data => listed(['hubrec stopped', rest(data)])],
])

const wireTellers: ReadonlyMap<string, Tell> = new Map<string, Tell>([
  [
    'connecting',
    ({ host, port, gateway }) => say`connecting to ${gateway === true ? 'the gateway ' : ''}${host}:${port}`,
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
  ['refused', ({ code, reason }) => say`refused by the hub, ${code}: ${reason}`],
  ['attached', ({ link }) => say`link ${link} attached`],
  [
    'subscribed',
    ({ granted, ok }) =>
      `${ok === true ? 'subscribed' : 'subscription refused'}: ${listed(Object.keys(inner(granted)))}`,
  ],
  [
    'detached',
    ({ link, condition, description }) => say`link ${link} detached ${listed([condition, description], ': ')}`,
  ],
  ['pingSent', () => 'ping sent'],
  ['pongReceived', ({ rttMs }) => `pong received after ${lasting(rttMs)}`],
  ['bytes', ({ read, written }) => say`${read} bytes read, ${written} written`],
  [
    'retryScheduled',
    ({ delayMs, failures, policy }) => say`next attempt in ${lasting(delayMs)} (${policy}, ${failures} failed before)`,
  ],
  ['renewalStarted', () => 'renewing the token'],
  ['renewalDone', ({ ok }) => (ok === true ? 'token renewed' : 'the token could not be renewed')],
  ['sdkError', ({ during, error }) => say`the SDK said during ${during}: ${failure(inner(error))}`],
  ['closed', data => `closed ${closing(data)}`],
])

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
