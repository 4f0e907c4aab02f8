/** What an HTTP answer says that came in place of a WebSocket, from a proxy or from whatever stands where the hub should. */
import type { FailedAttempt } from '../evidence/episode.js'
import { dialled, quoted } from './words.js'

export type HttpAnswer = Readonly<{
  step: 'proxy' | 'upgrade'
  status: number
  headers: FailedAttempt['headers']
  /** As a sentence of evidence. */
  sentence: string
}>

export function httpAnswerOf(attempt: FailedAttempt): HttpAnswer | null {
  const { outcome, step, code, reason, headers } = attempt
  if (outcome !== 'refused' || code === null || (step !== 'proxy' && step !== 'upgrade')) return null
  const answered =
    step === 'proxy'
      ? `The proxy${attempt.proxy === null ? '' : ` ${attempt.proxy}`} answered CONNECT for ${dialled(attempt)}`
      : `${dialled(attempt)}${attempt.proxy === null ? '' : `, through the proxy ${attempt.proxy},`} answered the WebSocket upgrade`
  const who = [headers.server, headers.via].filter(name => name !== undefined && name !== '').join(', ')
  const named = who === '' ? '' : ` It names itself${quoted(who)}.`
  return { step, status: code, headers, sentence: `${answered} with HTTP status ${code}${quoted(reason)}.${named}` }
}

const redirects = new Set([301, 302, 303, 307, 308])

/** Where the answer sends a browser, if that is another host than the one that was asked. */
export function sentElsewhere({ status, headers }: HttpAnswer, host: string): string | null {
  if (!redirects.has(status) || headers.location === undefined) return null
  try {
    // Only the host: what follows may name the device, or hold a ticket.
    const { host: other, hostname } = new URL(headers.location)
    return hostname === host.toLowerCase() ? null : other
  } catch {
    // A path on the same host.
    return null
  }
}

export const isRedirect = ({ status }: HttpAnswer): boolean => redirects.has(status)

/** Web pages are no answer to a machine that asks for a WebSocket. */
export const isWebPage = ({ status, headers }: HttpAnswer): boolean =>
  status === 200 && /\bhtml\b/i.test(headers['content-type'] ?? 'text/html')

/** A server of the hub's neither forwards nor says so. */
export const wasForwarded = ({ headers }: HttpAnswer): boolean =>
  headers.via !== undefined ||
  headers['proxy-authenticate'] !== undefined ||
  headers['proxy-connection'] !== undefined ||
  headers['x-squid-error'] !== undefined ||
  /squid|proxy|zscaler|bluecoat|forcepoint|fortigate|mcafee|tinyproxy/i.test(headers.server ?? '')
