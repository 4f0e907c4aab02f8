/**
 * What the frames of both directions mean: which link a handle stands for, which answer belongs to a put-token, and who
 * began an end. It watches one connection and sends nothing.
 */
import { type AmqpError, type AmqpFrame, type CbsReply, createFrameReader, readCbsReply } from './amqp-frames.js'
import type { LinkRole } from './wire-event.js'

/** Told as the frame arrives, before the SDK has it. */
export type AmqpWatchEvents = Readonly<{
  /** Each frame; `link` where it belongs to one. */
  frame(direction: 'sent' | 'received', frame: AmqpFrame, link: string | null): void
  opened(): void
  begun(): void
  attached(link: string, role: LinkRole): void
  /** By the peer, and not as an answer to ours. */
  detached(link: string, role: LinkRole, error: AmqpError | null): void
  tokenSent(): void
  /** `null` for an answer that cannot be read. */
  tokenAnswered(reply: CbsReply | null): void
  /** The peer said how its session stands, and asked nothing: of itself, or because it was asked for an echo. */
  echoed(): void
  /** The peer took no message of ours. Told once for all that it refuses with one word. */
  rejected(link: string, error: AmqpError): void
  /** Our own close has left. */
  leaving(): void
  /** The peer ended the session or the connection, and not as an answer to ours. */
  ended(error: AmqpError | null): void
  /** The peer's answer to our close. */
  left(): void
  malformed(error: Error): void
}>

export interface AmqpWatch {
  sent(bytes: Buffer): void
  received(bytes: Buffer): void
  /** Messages to the hub that it has not settled yet. */
  inFlight(): number
}

type Link = { readonly name: string; readonly role: LinkRole; leaving: boolean }

/** Deliveries that nobody settles are not remembered for ever: the SDK never has more in flight. */
const deliveriesMax = 4_096

export function createAmqpWatch(events: AmqpWatchEvents): AmqpWatch {
  /** By the name that AMQP gives a link. */
  const links = new Map<string, Link>()
  /** By channel and handle, which each side numbers by itself. */
  const ours = new Map<string, Link>()
  const theirs = new Map<string, Link>()
  const deliveries = new Map<number, string>()
  let sessionLeaving = false
  let connectionLeaving = false
  /** By the peer, so that what we still say is an answer. */
  let isEnded = false

  const keyOf = (channel: number, handle: number): string => `${channel}:${handle}`

  const onSent = (frame: AmqpFrame): Link | null => {
    switch (frame.name) {
      case 'attach': {
        const address = (frame.role === 'receiver' ? frame.source : frame.target)?.address ?? null
        const link: Link = { name: linkName(address), role: frame.role, leaving: false }
        links.set(frame.link, link)
        ours.set(keyOf(frame.channel, frame.handle), link)
        return link
      }
      case 'detach': {
        const link = ours.get(keyOf(frame.channel, frame.handle)) ?? null
        if (link) link.leaving = true
        return link
      }
      case 'transfer': {
        const link = ours.get(keyOf(frame.channel, frame.handle)) ?? null
        // What a message is continued with has no number of its own.
        if (link && frame.deliveryId !== null && !frame.settled && deliveries.size < deliveriesMax) {
          deliveries.set(frame.deliveryId, link.name)
        }
        return link
      }
      case 'flow':
        return frame.handle === null ? null : (ours.get(keyOf(frame.channel, frame.handle)) ?? null)
      case 'end':
        sessionLeaving = true
        return null
      case 'close':
        connectionLeaving = true
        return null
      default:
        return null
    }
  }

  const onReceived = (frame: AmqpFrame): Link | null => {
    switch (frame.name) {
      case 'attach': {
        const link = links.get(frame.link) ?? null
        if (link) theirs.set(keyOf(frame.channel, frame.handle), link)
        return link
      }
      case 'detach':
      case 'transfer':
        return theirs.get(keyOf(frame.channel, frame.handle)) ?? null
      case 'flow':
        return frame.handle === null ? null : (theirs.get(keyOf(frame.channel, frame.handle)) ?? null)
      default:
        return null
    }
  }

  const afterSent = (frame: AmqpFrame, link: Link | null): void => {
    if (frame.name === 'transfer' && link?.name === cbs && frame.deliveryId !== null) events.tokenSent()
    if (frame.name === 'close' && !isEnded) events.leaving()
  }

  const afterReceived = (frame: AmqpFrame, link: Link | null): void => {
    switch (frame.name) {
      case 'open':
        events.opened()
        return
      case 'begin':
        events.begun()
        return
      case 'attach': {
        const isGranted = (link?.role === 'receiver' ? frame.source : frame.target) !== null
        if (link && isGranted) events.attached(link.name, link.role)
        return
      }
      case 'transfer':
        if (link?.name === cbs && !frame.more) events.tokenAnswered(readCbsReply(frame.payload))
        return
      case 'disposition':
        if (frame.role === 'receiver') settle(frame)
        return
      case 'flow':
        if (frame.handle === null && !frame.echo) events.echoed()
        return
      case 'detach':
        theirs.delete(keyOf(frame.channel, frame.handle))
        if (link && !link.leaving) events.detached(link.name, link.role, frame.error)
        return
      case 'end':
      case 'close': {
        const isAnswer = frame.name === 'end' ? sessionLeaving : connectionLeaving
        // An answer has nothing to complain of: with an error, both sides have come to their end at the same time.
        if (isAnswer && frame.error === null) {
          if (frame.name === 'close') events.left()
        } else if (!isEnded) {
          isEnded = true
          events.ended(frame.error)
        }
        return
      }
    }
  }

  const settle = ({ first, last, outcome, error }: Extract<AmqpFrame, { name: 'disposition' }>): void => {
    const refused = new Set<string>()
    for (const [id, link] of deliveries) {
      if (id < first || id > last || outcome === null) continue
      deliveries.delete(id)
      if (outcome !== 'accepted') refused.add(link)
    }
    const said = error ?? { condition: null, description: outcome }
    for (const link of refused) events.rejected(link, said)
  }

  const malformed = (error: Error): void => events.malformed(error)
  const sent = createFrameReader(
    frame => {
      const link = onSent(frame)
      events.frame('sent', frame, link?.name ?? null)
      afterSent(frame, link)
    },
    // Of what we send ourselves nothing is malformed, and the hub is not to blame for it.
    () => undefined,
  )
  const received = createFrameReader(frame => {
    const link = onReceived(frame)
    events.frame('received', frame, link?.name ?? null)
    afterReceived(frame, link)
  }, malformed)

  return {
    sent,
    received,
    inFlight: () => {
      let count = 0
      for (const link of deliveries.values()) if (link !== cbs && link !== 'methods') count++
      return count
    },
  }
}

const cbs = '$cbs'

const nameMax = 64

/** Without the device's part: `/devices/ID/modules/ID/methods/devicebound` is `methods`, `/devices/ID/messages/events` is `events`. */
function linkName(address: string | null): string {
  const path = (address ?? '').replace(/^\/devices\/[^/]+(?:\/modules\/[^/]+)?\//, '')
  return known[path] ?? path.slice(0, nameMax)
}

const known: Readonly<Record<string, string>> = {
  'methods/devicebound': 'methods',
  'messages/events': 'events',
  'messages/devicebound': 'messages',
}
