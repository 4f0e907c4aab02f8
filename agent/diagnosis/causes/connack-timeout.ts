/** The sign-in was sent and never answered. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, speaksMqtt, wentUnanswered } from '../wire-facts.js'
import { count, dialled, duration } from '../words.js'

export const connackTimeout: Cause = {
  id: 'connack-timeout',
  family: 'protocol',
  title: 'The hub did not answer the sign-in',
  hubCodes: ['500008'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'TLS is ready and the sign-in (CONNECT) is sent, but its answer (CONNACK) never comes.',
    hub: 'A sign-in that it did not finish in time, or that never reached it.',
    log: 'Perhaps 500008, or nothing.',
  },
  meaning:
    'The road and the certificate are fine. Either the service is slow or ill, or a box on the road took the connection and stopped passing on what is said in it.',
  nextSteps: {
    device: [
      'Leave the device trying: it comes back by itself when it is the service.',
      'Try from another network. If it works there, look for a firewall or proxy that lets TLS through and holds MQTT back.',
      'On slow links raise `connection.timeoutSeconds.accept`.',
    ],
    portal: ['In the portal, look at Resource Health of the hub, and whether other devices connect.'],
  },
  docs: [pages.errorCodes, pages.mqtt],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'auth' || !speaksMqtt(evidence) || !wentUnanswered(close)) return null
    const { silentMs, bytesRead, bytesWritten } = close.closed
    return {
      confidence: 'certain',
      evidence: [
        `TLS to ${dialled(attempt)} was ready and the sign-in was sent, but no CONNACK came: silence for ${duration(silentMs)}.`,
        `${count(bytesWritten, 'byte')} had been sent and ${count(bytesRead, 'byte')} received.`,
      ],
      runnersUp: [
        maybe(
          'hub-transient-5xx',
          'See whether other devices have the same trouble, and look at Resource Health of the hub.',
        ),
        maybe('no-network', 'Look at the samples of that minute: was the carrier or the default route lost meanwhile?'),
      ],
    }
  },
}
