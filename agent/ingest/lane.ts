/**
 * The rule of pairing, held against what an application tells: what does not fit is not taken, and an attempt that was left open is
 * closed before the next begins. Pure.
 */
import type { ClosedEvent, WireEvent } from '../../transports/wire-event.js'

export type Lane = Readonly<{
  /** The newest that began; 0 before the first. */
  attempt: number
  phase: 'none' | 'attempt' | 'session'
  /** The newest event's time. */
  monoMs: number
  connecting: WireEvent | null
  acceptedMs: number | null
  heardMs: number
  isPinging: boolean
  renewal: string | null
}>

export const emptyLane: Lane = {
  attempt: 0,
  phase: 'none',
  monoMs: Number.NEGATIVE_INFINITY,
  connecting: null,
  acceptedMs: null,
  heardMs: 0,
  isPinging: false,
  renewal: null,
}

/** @returns the events to take, in order; `null` where this one does not fit */
export function admit(lane: Lane, event: WireEvent): { lane: Lane; events: readonly WireEvent[] } | null {
  const { type, attempt, monoMs } = event
  if (monoMs < lane.monoMs) return null
  const take = (change: Partial<Lane>): { lane: Lane; events: readonly WireEvent[] } => ({
    lane: { ...lane, monoMs, ...change },
    events: [event],
  })
  const isCurrent = attempt === lane.attempt
  const inAttempt = isCurrent && lane.phase === 'attempt'
  const inSession = isCurrent && lane.phase === 'session'

  switch (type) {
    case 'connecting': {
      if (attempt <= lane.attempt) return null
      const left = leftOpen(lane, monoMs, abandoned)
      const begun = { phase: 'attempt', attempt, connecting: event, acceptedMs: null, heardMs: monoMs } as const
      return { lane: { ...emptyLane, ...begun, monoMs }, events: left ? [left, event] : [event] }
    }
    case 'resolved':
    case 'tcpConnected':
    case 'proxyConnected':
    case 'tlsSecured':
    case 'upgraded':
      return inAttempt ? take({ heardMs: monoMs }) : null
    case 'authorized':
      return inAttempt || inSession ? take({ heardMs: monoMs }) : null
    case 'accepted':
      return inAttempt ? take({ phase: 'session', acceptedMs: monoMs, heardMs: monoMs }) : null
    case 'refused':
      return inAttempt ? take({ phase: 'none' }) : null
    case 'closed':
      if (event.lastedMs === null ? inAttempt : inSession) return take({ phase: 'none' })
      return null
    case 'attached':
    case 'detached':
      // AMQP signs in over a link of its own.
      return inSession || (inAttempt && event.link === '$cbs') ? take({ heardMs: monoMs }) : null
    case 'rejected':
    case 'subscribed':
    case 'bytes':
      return inSession ? take({ heardMs: monoMs }) : null
    case 'pingSent':
      return inSession && !lane.isPinging ? take({ isPinging: true }) : null
    case 'pongReceived':
      return inSession && lane.isPinging ? take({ isPinging: false, heardMs: monoMs }) : null
    case 'renewalStarted':
      return inSession && lane.renewal === null ? take({ renewal: event.id }) : null
    case 'renewalDone':
      return lane.renewal === event.id ? take({ renewal: null }) : null
    case 'retryScheduled':
    case 'sdkError':
      return attempt > 0 && isCurrent ? take({}) : null
    case 'protocolChosen':
    case 'provisioningStarted':
    case 'provisioningDone':
      // These are the daemon's own ways; an application has none of them.
      return null
  }
}

export type LeftBy = Pick<ClosedEvent, 'by' | 'how' | 'reason' | 'error'>

const abandoned: LeftBy = { by: 'unknown', how: 'error', reason: null, error: null }

/** The end of what is open, for one who can no longer tell it himself; `null` where nothing is. */
export function leftOpen(lane: Lane, monoMs: number, left: LeftBy): ClosedEvent | null {
  const { connecting, attempt, acceptedMs, heardMs, phase } = lane
  if (phase === 'none' || connecting === null) return null
  return {
    type: 'closed',
    monoMs,
    protocol: connecting.protocol,
    attempt,
    ...left,
    stage: acceptedMs === null ? 'auth' : 'session',
    certificate: null,
    silentMs: Math.max(0, Math.round(monoMs - heardMs)),
    lastedMs: acceptedMs === null ? null : Math.max(0, Math.round(monoMs - acceptedMs)),
    pingUnansweredMs: null,
    inFlightPublishes: 0,
    afterPublish: false,
    bytesRead: 0,
    bytesWritten: 0,
  }
}
