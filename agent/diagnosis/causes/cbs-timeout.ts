/** The token was handed over, and the hub never said whether it is good. */
import type { ClosedEvent } from '../../../transports/wire-event.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, closeOfEnding, speaksMqtt, wentUnanswered } from '../wire-facts.js'
import { count, dialled, duration } from '../words.js'

const found = (sentence: string, { bytesRead, bytesWritten }: ClosedEvent): Finding => ({
  confidence: 'certain',
  evidence: [sentence, `${count(bytesWritten, 'byte')} had been sent and ${count(bytesRead, 'byte')} received.`],
  runnersUp: [
    maybe(
      'hub-transient-5xx',
      'See whether other devices have the same trouble, and look at Resource Health of the hub.',
    ),
    maybe('no-network', 'Look at the samples of that minute: was the carrier or the default route lost meanwhile?'),
  ],
})

export const cbsTimeout: Cause = {
  id: 'cbs-timeout',
  family: 'protocol',
  title: 'The hub did not answer the put-token',
  hubCodes: ['500008'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The AMQP connection stands, the links to $cbs are attached, and the put-token is never answered, at the sign-in or when the token is renewed.',
    hub: 'A token that it did not check in time, or that never reached it.',
    log: 'Perhaps 500008, or nothing.',
  },
  meaning:
    'Road, certificate and AMQP are fine; the part of the service that checks tokens is slow or ill, or what was said last got lost. The SDK alone waits over two minutes for this answer.',
  tells: {
    raises: 'Frames of the hub still come while the answer is missing.',
    rulesOut: 'Nothing at all comes any more: then it is the line.',
  },
  nextSteps: {
    device: [
      'Leave the device trying: it comes back by itself when it is the service.',
      'On slow links raise `connection.timeoutSeconds.accept`.',
      'Try `connection.protocol` `mqtt`, which signs in without a put-token.',
    ],
    portal: ['In the portal, look at Resource Health of the hub, and whether other devices connect.'],
  },
  docs: [pages.errorCodes],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'auth' || speaksMqtt(attempt.protocol) || !wentUnanswered(close)) return null
    if (!attempt.attached.includes('$cbs')) return null
    const silence = duration(close.closed.silentMs)
    return found(
      `${dialled(attempt)} had opened AMQP and attached $cbs, but the put-token was not answered: silence for ${silence}.`,
      close.closed,
    )
  },
  fromEnding(ending) {
    const close = closeOfEnding(ending)
    if (close === null || close.stage !== 'session' || speaksMqtt(close.closed.protocol)) return null
    // Of what is asked in a session, only the put-token has a limit for its answer.
    const { how, reason } = close.closed
    if (how !== 'timeout' || reason !== 'slow') return null
    return found('The put-token that was to renew the token in the session was not answered in time.', close.closed)
  },
}
