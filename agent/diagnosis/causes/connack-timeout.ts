/** The sign-in was sent and never answered. */
import type { FailedAttempt } from '../../evidence/episode.js'
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { type Close, closeOfAttempt, speaksMqtt, wentUnanswered } from '../wire-facts.js'
import { count, dialled, duration } from '../words.js'

/** What was sent, and what did not come. */
function unanswered({ stage }: Close, attempt: FailedAttempt): string | null {
  if (stage === 'upgrade') return 'the WebSocket upgrade was asked for, but no answer came'
  if (stage !== 'auth') return null
  if (speaksMqtt(attempt.protocol)) return 'the sign-in was sent, but no CONNACK came'
  // What is not answered after that is the put-token: see `cbs-timeout`.
  return attempt.attached.includes('$cbs') ? null : 'AMQP was begun, but its open was not answered'
}

const proxied = maybe(
  'proxy-required',
  'Ask whether this network lets only a proxy out, or try the upgrade from another network.',
)

export const connackTimeout: Cause = {
  id: 'connack-timeout',
  family: 'protocol',
  title: 'The hub did not answer the sign-in',
  hubCodes: ['500008'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'TLS is ready and the sign-in (CONNECT) is sent, but its answer (CONNACK) never comes. AMQP: its open is not answered. WebSocket: nor is the upgrade.',
    hub: 'A sign-in that it did not finish in time, or that never reached it.',
    log: 'Perhaps 500008, or nothing.',
  },
  meaning:
    'The road and the certificate are fine. Either the service is slow or ill, or a box on the road took the connection and stopped passing on what is said in it.',
  tells: {
    raises: 'TLS stood and nothing was read after it.',
    rulesOut: 'An answer came, whatever it says.',
  },
  nextSteps: {
    device: [
      'Leave the device trying: it comes back by itself when it is the service.',
      'Try from another network. If it works there, look for a firewall or proxy that lets TLS through and holds MQTT back.',
      'On slow links raise `connection.timeoutSeconds.accept`.',
    ],
    portal: ['In the portal, look at Resource Health of the hub, and whether other devices connect.'],
  },
  docs: [pages.errorCodes, pages.mqtt],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || !wentUnanswered(close)) return null
    const story = unanswered(close, attempt)
    if (story === null) return null
    const { silentMs, bytesRead, bytesWritten } = close.closed
    return {
      confidence: close.stage === 'upgrade' ? 'likely' : 'certain',
      evidence: [
        `TLS to ${dialled(attempt)} was ready and ${story}: silence for ${duration(silentMs)}.`,
        `${count(bytesWritten, 'byte')} had been sent and ${count(bytesRead, 'byte')} received.`,
      ],
      runnersUp: [
        ...(close.stage === 'upgrade' ? [proxied] : []),
        maybe(
          'hub-transient-5xx',
          'See whether other devices have the same trouble, and look at Resource Health of the hub.',
        ),
        maybe('no-network', 'Look at the samples of that minute: was the carrier or the default route lost meanwhile?'),
      ],
    }
  },
}
