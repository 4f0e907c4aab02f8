/** Short stories of one connection, as a library tells them. */
import type { ClosedEvent, WireEvent } from '../../transports/wire-event.js'

const at = (attempt: number, monoMs: number) => ({ monoMs, protocol: 'mqtt', attempt }) as const

export const connecting = (attempt: number, monoMs: number): WireEvent => ({
  type: 'connecting',
  ...at(attempt, monoMs),
  host: 'my-hub.azure-devices.net',
  port: 8883,
  gateway: false,
})

export const accepted = (attempt: number, monoMs: number): WireEvent => ({
  type: 'accepted',
  ...at(attempt, monoMs),
  sessionPresent: false,
  ms: 1,
})

export const pingSent = (attempt: number, monoMs: number): WireEvent => ({ type: 'pingSent', ...at(attempt, monoMs) })

export const closed = (attempt: number, monoMs: number, lastedMs: number | null): ClosedEvent => ({
  type: 'closed',
  ...at(attempt, monoMs),
  by: 'hub',
  how: 'fin',
  stage: lastedMs === null ? 'auth' : 'session',
  reason: null,
  error: null,
  certificate: null,
  silentMs: 0,
  lastedMs,
  pingUnansweredMs: null,
  inFlightPublishes: 0,
  afterPublish: false,
  bytesRead: 0,
  bytesWritten: 0,
})
