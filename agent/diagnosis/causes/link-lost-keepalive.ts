/** The line went silent under an open session. */
import { saysIdle, toldOf, wordOfEnding } from '../amqp-words.js'
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfEnding, findCode, heardNothingBack, speaksMqtt, wasHeard } from '../wire-facts.js'
import { count, duration } from '../words.js'

const timedOut: ReadonlySet<string> = new Set(['ETIMEDOUT'])

export const linkLostKeepalive: Cause = {
  id: 'link-lost-keepalive',
  family: 'network',
  title: 'The line went silent under the session',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'A keepalive ping is not answered in time (AMQP: no frame comes, or no echo), or TCP gives up repeating itself (ETIMEDOUT). No FIN and no RST came.',
    hub: 'It hears nothing either, and closes after one and a half keepalive intervals.',
    log: '404104 DeviceConnectionClosedRemotely, later than the true beginning of the loss.',
  },
  meaning:
    'Packets were lost in silence: the radio or the uplink failed, a router forgot the connection, or the carrier put it to sleep. Neither side was told, so both had to wait for their timers.',
  tells: {
    raises: 'A ping stayed without an answer, and neither FIN nor RST came; carrier or signal was lost in that minute.',
    rulesOut: 'A frame that ends the session, or a reset.',
  },
  nextSteps: {
    device: [
      'Run `hubrec logs --type sample` for the minute before: did the carrier, the signal or the default route change?',
      'If it happens after the same idle time each time, set `connection.keepaliveSeconds` below that time.',
      'On mobile networks keep the keepalive between 60 and 120 seconds. A longer one only finds the loss later.',
    ],
    portal: [
      'In the portal, expect 404104 for this session. It says that the hub noticed, and nothing about the reason.',
    ],
  },
  docs: [pages.mqtt, pages.errorCodes],

  fromEnding(ending) {
    const close = closeOfEnding(ending)
    if (close === null || close.stage !== 'session') return null
    const { closed, error } = close
    const givenUp = findCode(error, timedOut) !== undefined
    const silent = closed.reason === 'silence' || (closed.how === 'timeout' && closed.reason === null)
    // The hub's timer was faster than ours: its goodbye came through, so only the way to it was dead.
    const word = wordOfEnding(ending)
    const saysSo = word !== null && saysIdle(word) ? word : null
    const oneWay = heardNothingBack(closed) || saysSo !== null
    const heard = wasHeard(closed)
    if (!silent && !givenUp && !oneWay) return null
    return {
      confidence: oneWay || heard ? 'likely' : 'certain',
      evidence: [
        givenUp
          ? `TCP gave up (ETIMEDOUT) after nothing had come from the hub for ${duration(closed.silentMs)}.`
          : saysSo !== null
            ? toldOf(saysSo)
            : heard
              ? `What was sent was answered no more for ${duration(closed.pingUnansweredMs ?? 0)}, and the hub was heard until ${duration(closed.silentMs)} before the end: only the way to it was dead.`
              : !speaksMqtt(closed.protocol)
                ? `No frame came, and the hub has to send one before its time is over; nothing had come from it for ${duration(closed.silentMs)}.`
                : `A keepalive ping was not answered; nothing had come from the hub for ${duration(closed.silentMs)}.`,
        `${oneWay ? 'Then the other side closed, as a hub does that hears nothing.' : 'No FIN and no RST came.'} ${count(closed.inFlightPublishes, 'message')} waited for an answer; ${count(closed.bytesWritten, 'byte')} had been sent and ${count(closed.bytesRead, 'byte')} received.`,
        speaksMqtt(closed.protocol)
          ? 'The hub will notice after one and a half keepalive intervals and log 404104.'
          : 'The hub will notice when it has heard nothing for its own idle time (240 s) and log 404104.',
      ],
      runnersUp: [
        maybe(
          'nat-idle-timeout',
          'Compare the silent time of several losses: always the same and below the keepalive points to a router.',
        ),
        maybe(
          'no-network',
          'Look at the samples of that minute: a lost carrier or default route means this device itself.',
        ),
        maybe(
          'device-sleep',
          'Compare wall and monotonic clock over that time: a jump of the first means that the device slept.',
        ),
      ],
    }
  },
}
