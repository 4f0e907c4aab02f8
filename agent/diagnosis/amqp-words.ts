/** What the hub said over AMQP when it ended something: a condition, and perhaps a description. */
import type { ClosedEvent, Failure } from '../../transports/wire-event.js'
import type { Ending, FailedAttempt, LinkTrouble } from '../evidence/episode.js'
import { isOurs, isWebSocketClose, speaksMqtt } from './wire-facts.js'
import { duration, quoted } from './words.js'

export type AmqpWord = Readonly<{
  /** What it was said about: the connection (or its session), a link, or a message. */
  about: 'connection' | 'link' | 'message'
  /** The link's name; empty for the connection. */
  link: string
  /** `null`: ended politely, without an error. */
  condition: string | null
  description: string | null
  beforeEndMs: number
}>

/** What befell a link longer than this before the end had no part in it. */
const lastMomentsMs = 10_000

export const wordOfAttempt = ({ closed, links }: FailedAttempt): AmqpWord | null =>
  closed === null ? null : wordOf(closed, links)

export const wordOfEnding = (ending: Ending): AmqpWord | null =>
  ending.kind === 'closed' ? wordOf(ending.event, ending.links) : null

function wordOf(closed: ClosedEvent, links: readonly LinkTrouble[]): AmqpWord | null {
  if (speaksMqtt(closed.protocol)) return null
  if (closed.reason === 'methods') {
    const lost = links.findLast(({ what, link }) => what === 'detached' && link === 'methods')
    return lost === undefined ? null : ofLink(lost)
  }
  if (closed.how === 'timeout' || isWebSocketClose(closed)) return null
  // An error on one link makes the SDK say goodbye itself, and then the hub has spoken before.
  const bySdk = closed.by === 'us' && closed.how === 'goodbye' && closed.reason === null
  if (isOurs(closed) && !bySdk) return null
  const said = amqpError(closed.error)
  const inClose: AmqpWord | null =
    closed.by === 'hub' && (closed.how === 'goodbye' || said !== undefined)
      ? {
          about: 'connection',
          link: '',
          condition: said?.code ?? null,
          description: said === undefined || said.message === '' ? null : said.message,
          beforeEndMs: 0,
        }
      : null
  if (inClose !== null && inClose.condition !== null) return inClose
  const late = links.filter(({ condition, beforeEndMs }) => condition !== null && beforeEndMs <= lastMomentsMs)
  const last = late.findLast(({ what }) => what === 'detached') ?? late.at(-1)
  if (last !== undefined) return ofLink(last)
  // Its end is the connection's, so it is the link of which the hub had enough.
  const cbs = inClose && links.findLast(each => isLostCbs(each) && each.beforeEndMs <= lastMomentsMs)
  return cbs ? ofLink(cbs) : inClose
}

const isLostCbs = ({ what, link }: LinkTrouble): boolean => what === 'detached' && link === '$cbs'

const ofLink = ({ what, link, condition, description, beforeEndMs }: LinkTrouble): AmqpWord => ({
  about: what === 'detached' ? 'link' : 'message',
  link,
  condition,
  description,
  beforeEndMs,
})

function amqpError(failure: Failure | null): Failure | undefined {
  if (failure === null) return undefined
  return failure.name === 'AmqpError' ? failure : amqpError(failure.from ?? null)
}

/** As a sentence of evidence. */
export function toldOf({ about, link, condition, description, beforeEndMs }: AmqpWord): string {
  const how = condition === null ? 'without an error' : `with ${condition}`
  const before = beforeEndMs < 1_000 ? '' : `, ${duration(beforeEndMs)} before the end`
  const said = `${how}${quoted(description ?? '')}${before}`
  switch (about) {
    case 'connection':
      return `The hub closed the AMQP connection ${said}.`
    case 'link':
      return `The hub detached the link ${link} ${said}.`
    case 'message':
      return `The hub rejected a message on the link ${link} ${said}.`
  }
}

/** A peer that has heard nothing for too long says so under conditions that mean other things too. */
export const saysIdle = (word: AmqpWord): boolean =>
  /\bidle time|\binactive for more than/i.test(word.description ?? '')

/** What was said, if under one of these conditions and not because the line was idle. */
export const among = (word: AmqpWord | null, conditions: ReadonlySet<string>): AmqpWord | null =>
  word !== null && conditions.has(word.condition ?? '') && !saysIdle(word) ? word : null
