/** DESIGN's pairing rule: each attempt ends once, each session ends once, and long work begins before it ends. */
import type { WireEvent } from '../../transports/wire-event.js'

type Type = WireEvent['type']

/** Only these begin and end an attempt and its session. */
const telling: ReadonlySet<Type> = new Set(['connecting', 'accepted', 'refused', 'closed'])
/** What is said about an attempt from above the wire, so that it may come when the attempt is over. */
const above: ReadonlySet<Type> = new Set([
  'retryScheduled',
  'renewalDone',
  'sdkError',
  'protocolChosen',
  'provisioningStarted',
  'provisioningDone',
])
/** What only a session can have; but AMQP signs in over links of its own. */
const isOfSession = (event: WireEvent): boolean =>
  event.type === 'attached' || event.type === 'detached' ? event.link !== '$cbs' : ofSession.has(event.type)

const ofSession: ReadonlySet<Type> = new Set(['subscribed', 'rejected', 'pingSent', 'pongReceived', 'renewalStarted'])

/**
 * @param over whether the connection has been stopped, so that nothing may be left open
 * @returns a sentence for each breach
 */
export function breaches(events: readonly WireEvent[], over = true): string[] {
  const attempts = new Map<number, WireEvent[]>()
  for (const event of events) {
    if (!above.has(event.type)) attempts.set(event.attempt, [...(attempts.get(event.attempt) ?? []), event])
  }
  return [
    ...[...attempts].flatMap(([attempt, told]) => inAttempt(told, over).map(found => `attempt ${attempt}: ${found}`)),
    ...overlaps(events),
    ...work(events, 'renewal', 'renewalStarted', 'renewalDone'),
    // Who renews is gone when the connection is stopped; who asks which hub it is waits for its answer.
    ...work(events, 'provisioning', 'provisioningStarted', 'provisioningDone', over),
    ...(events.some(({ monoMs }, index) => monoMs < (events[index - 1]?.monoMs ?? 0)) ? ['time ran backwards'] : []),
  ]
}

function inAttempt(events: readonly WireEvent[], over: boolean): string[] {
  const found: string[] = []
  const types = events.map(({ type }) => type)
  const story = types.filter(type => telling.has(type)).join(' ')
  const whole = ['connecting refused', 'connecting closed', 'connecting accepted closed']
  const unfinished = ['connecting', 'connecting accepted']
  if (!whole.includes(story) && (over || !unfinished.includes(story))) found.push(story || types.join(' '))

  if (types[0] !== 'connecting') found.push(`${types[0]} before connecting`)
  const end = types.findIndex(type => type === 'refused' || type === 'closed')
  const late = end < 0 ? [] : types.slice(end + 1)
  if (late.length > 0) found.push(`${late.join(' ')} after ${types[end]}`)
  const accepted = types.includes('accepted') ? types.indexOf('accepted') : types.length
  const early = events
    .slice(0, accepted)
    .filter(isOfSession)
    .map(({ type }) => type)
  if (early.length > 0) found.push(`${early.join(' ')} without a session`)

  const pings = types.filter(type => type === 'pingSent' || type === 'pongReceived')
  const astray = pings.findIndex((type, index) => type !== (index % 2 === 0 ? 'pingSent' : 'pongReceived'))
  if (astray >= 0) found.push(`${pings[astray]} out of turn`)
  return found
}

/** One identity has one connection: the next attempt waits for the end of the one before. */
function overlaps(events: readonly WireEvent[]): string[] {
  const found: string[] = []
  let open: number | null = null
  for (const { attempt, type } of events) {
    if (type === 'connecting') {
      if (open !== null) found.push(`attempt ${attempt} began before attempt ${open} had ended`)
      open = attempt
    } else if ((type === 'refused' || type === 'closed') && attempt === open) open = null
  }
  return found
}

/** Long work begins once under an id, and ends once. */
function work(
  events: readonly WireEvent[],
  what: string,
  starts: 'renewalStarted' | 'provisioningStarted',
  ends: 'renewalDone' | 'provisioningDone',
  mustEnd = false,
): string[] {
  const found: string[] = []
  const begun = new Set<string>()
  const done = new Set<string>()
  for (const event of events) {
    if (event.type === starts) {
      if (begun.has(event.id)) found.push(`${what} ${event.id} started twice`)
      begun.add(event.id)
    } else if (event.type === ends) {
      if (!begun.has(event.id)) found.push(`${what} ${event.id} done without a start`)
      if (done.has(event.id)) found.push(`${what} ${event.id} done twice`)
      done.add(event.id)
    }
  }
  if (mustEnd) found.push(...[...begun].filter(id => !done.has(id)).map(id => `${what} ${id} without an end`))
  return found
}
