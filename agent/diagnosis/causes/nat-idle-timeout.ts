/** A box on the road forgets connections that are idle for too long. */
import { type Cause, knowable, maybe } from '../cause.js'
import { silentRun } from '../closing-runs.js'
import { pages } from '../pages.js'
import { duration } from '../words.js'

const sessionsMin = 3

/** Sessions that a table's timer ends are as long as one another, but for a packet more or less. */
const apartMs = 5_000
const apartShare = 0.1

export const natIdleTimeout: Cause = {
  id: 'nat-idle-timeout',
  family: 'network',
  title: 'A router forgot the idle connection',
  hubCodes: ['404104'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'Sessions end, or go silent, after the same idle time again and again, and that time is shorter than the keepalive.',
    hub: 'A device that falls silent although it sends.',
    log: '404104, again and again with the same distance.',
  },
  meaning:
    'Routers and mobile carriers keep a table of connections (NAT) and drop the idle ones, without telling either end. What is sent afterwards vanishes or is answered with a reset.',
  tells: {
    raises: 'Several losses after the same idle time, shorter than the keepalive.',
    rulesOut: 'Losses while packets went both ways.',
  },
  nextSteps: {
    device: [
      'Set `connection.keepaliveSeconds` to less than the shortest idle time at which it happened.',
      'Raise the TCP idle time in the router, if it has such a setting.',
      'Do not expect WebSocket on port 443 to help: the table is the same.',
    ],
    portal: ['Ask the mobile carrier for the idle time of its access point (APN), or for one without NAT.'],
  },
  docs: [pages.mqtt],

  fromEnding(_ending, { history }) {
    const run = silentRun(history).slice(-sessionsMin)
    if (run.length < sessionsMin) return null
    const lengthsMs = run.map(({ lastedMs }) => lastedMs)
    const longestMs = Math.max(...lengthsMs)
    const isEqual = longestMs - Math.min(...lengthsMs) <= Math.max(apartMs, longestMs * apartShare)
    // None of them lived through its first pause: what came after it was not answered any more.
    const diedIdle = run.every(({ lastedMs, closed }) => lastedMs <= 2 * closed.silentMs)
    if (!isEqual || !diedIdle) return null
    const idleMs = Math.min(...run.map(({ closed }) => closed.silentMs))
    return {
      confidence: 'likely',
      evidence: [
        `${run.length} sessions in a row went silent in their first pause, after ${lengthsMs.map(duration).join(', ')}: what was sent after it was not answered any more.`,
        `The connection is forgotten in less than ${duration(idleMs)} of silence.`,
      ],
      runnersUp: [
        maybe(
          'link-lost-keepalive',
          'Halve `connection.keepaliveSeconds`: if the losses go on as before, it is the line and no timer.',
        ),
      ],
    }
  },
}
