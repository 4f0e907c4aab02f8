/** Two clients sign in with one identity and throw each other out. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { quietRun } from '../closing-runs.js'
import { pages } from '../pages.js'
import { closeOfEnding, isFin } from '../wire-facts.js'
import { duration } from '../words.js'

const stolen = new Set(['amqp:link:stolen'])
const internal = new Set(['amqp:internal-error'])

/** Over AMQP the hub says it: links are stolen, or another client has opened the same. */
function judgeWord(word: AmqpWord | null): Finding | null {
  const other = among(word, internal)
  const said =
    among(word, stolen) ?? (other !== null && /\banother\b.*\bclient\b/i.test(other.description ?? '') ? other : null)
  if (said === null) return null
  return {
    confidence: 'likely',
    evidence: [toldOf(said)],
    runnersUp: [
      maybe(
        'hub-transient-5xx',
        'Look whether 409002 comes only once and after a 404104: then the hub still held the old connection of this device.',
      ),
    ],
  }
}

/** An application need not subscribe to anything; then only the number of sessions speaks. */
const unservedMin = 4

export const duplicateDeviceId: Cause = {
  id: 'duplicate-device-id',
  family: 'identity',
  title: 'Two clients use the same identity',
  hubCodes: ['400027', '409002'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'Sign-in succeeds, and soon after comes a bare close, again and again, with no message sent in between. AMQP: amqp:link:stolen.',
    hub: 'A second sign-in under the same identity. It keeps the newest and closes the other.',
    log: '400027 (MQTT) or 409002 (AMQP), and connections from two addresses or SDK versions under one device id.',
  },
  meaning:
    'A hub allows one connection for each identity. When a second client signs in the first is thrown out; when that one comes back, the second is. A cloned SD card, a second copy of the application or a forgotten test program are the usual finds.',
  tells: {
    raises: 'Equal short sessions, each served by the hub, ending in a FIN; AMQP says that a link was stolen.',
    rulesOut: 'Sessions that end in silence or in a reset, or upon each publish.',
  },
  nextSteps: {
    device: [
      'Look for a second program with the same connection string on this device: `ps aux`, `docker ps`, `iotedge list`.',
      'Think of cloned images and of tools on a desk elsewhere that use the connection string of this device.',
      'Give each client an identity of its own; for two programs on one device, module identities.',
    ],
    portal: [
      'In the portal, look in the Connections log for 400027 or 409002 of this device, and compare maskedIpAddress and sdkVersion of its deviceConnect rows.',
      'If the second client cannot be found, renew the keys of the device: only the one that gets the new key comes back.',
    ],
  },
  docs: [pages.errorCodes, pages.connectivity],

  fromAttempt: attempt => judgeWord(wordOfAttempt(attempt)),
  fromEnding(ending, { history, application }) {
    const told = judgeWord(wordOfEnding(ending))
    if (told !== null) return told
    const close = closeOfEnding(ending)
    if (close === null || close.stage !== 'session' || !isFin(close)) return null
    const { lengthsMs, served } = quietRun(history)
    if (served === 0 && application && lengthsMs.length >= unservedMin) return judgeStorm(lengthsMs)
    if (served === 0) return null
    const lengths = lengthsMs.map(duration).join(', ')
    return {
      confidence: served === 1 ? 'possible' : 'likely',
      evidence: [
        `The last ${lengthsMs.length} sessions were accepted by the hub and closed again without a word (FIN), with no message under way, after ${lengths}.`,
        `In ${served === 1 ? 'one' : served} of the short ones the hub had also answered the subscription, so it had not refused the device.`,
      ],
      runnersUp: [
        maybe(
          'hub-upgrade-or-failover',
          'Look for 400029 in the Connections log. An upgrade ends after a few minutes, a second client does not.',
        ),
        maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.'),
      ],
    }
  },
}

/** Its SDK comes back at once each time, so that two of them throw each other out many times a second. */
const judgeStorm = (lengthsMs: readonly number[]): Finding => ({
  confidence: 'possible',
  evidence: [
    `The last ${lengthsMs.length} sessions of the application were accepted and closed again without a word (FIN), with no message under way, after ${lengthsMs.map(duration).join(', ')}.`,
  ],
  runnersUp: [
    maybe(
      'illegal-topic',
      'Check what the application subscribes to when it connects: does the hub have such a topic?',
    ),
    maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.'),
  ],
})
