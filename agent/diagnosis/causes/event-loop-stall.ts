/** The process did not get to its timers. */
import type { Evidence } from '../../evidence/episode.js'
import type { HostChange } from '../../evidence/surroundings.js'
import { saysIdle, toldOf, wordOfEnding } from '../amqp-words.js'
import { type Cause, knowable, maybe } from '../cause.js'
import { aroundTheLoss, changesBetween, unheardMs, wasUnheardFor } from '../host-facts.js'
import { pages } from '../pages.js'
import { closeOfEnding, isFin, wasSilent } from '../wire-facts.js'
import { duration } from '../words.js'

export const eventLoopStall: Cause = {
  id: 'event-loop-stall',
  family: 'local',
  title: 'The process stood still',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The event loop did not turn for longer than a ping may be late; timers fire in a heap, and the session is gone by then.',
    hub: 'A device that falls silent and comes back.',
    log: '404104.',
  },
  meaning:
    'Something computed, or waited for a disk, without letting the connection have its turn; or the host had no processor or memory left for it.',
  tells: {
    raises: 'A stall was measured that covers the end of the session; pressure of CPU, memory or disk at that time.',
    rulesOut: 'The loop turned all the time.',
  },
  nextSteps: {
    device: [
      'Move long computations of the application into a worker or another process.',
      'Run `hubrec logs --type sample` and look at the event loop, the pressure and the load of that time.',
      'Look for what swaps, or for an SD card that stalls (`iostat -x 1`).',
    ],
    portal: ['Nothing decides it in the portal.'],
  },
  docs: [pages.reconnections],

  fromEnding(ending, evidence) {
    const close = closeOfEnding(ending)
    const stall = longestStall(evidence)
    if (close === null || stall === null) return null
    // A word of the hub about anything but silence has another reason.
    const word = wordOfEnding(ending)
    const isIdle = word !== null && saysIdle(word)
    if (!isIdle && !isFin(close) && !wasSilent(close.closed)) return null
    // The hub itself says that it heard nothing; else it must not have been heard either.
    if (!isIdle && !wasUnheardFor(evidence, stall.stalledMs)) return null
    return {
      confidence: isIdle ? 'certain' : 'likely',
      evidence: [
        `The process stood still for ${duration(stall.stalledMs)} in that time, and sent nothing.`,
        ...(isIdle ? [toldOf(word)] : []),
      ],
      runnersUp: [
        maybe('link-lost-keepalive', 'See whether the next loss comes without such a stall: then it is the line.'),
        maybe(
          'device-sleep',
          'Compare wall and monotonic clock over that time: a jump of the first means that the device slept.',
        ),
      ],
    }
  },
}

type Stall = Extract<HostChange, { what: 'loopStalled' }>

/** IoT Hub waits for a frame for 240 s at most, and the sample that tells of the stall comes a little later. */
const nearMs = 300_000

/** So long that no ping can leave in time, whatever the keepalive is. */
const stallSurelyMs = 30_000
/** A shorter one is to blame where it fills most of the silence. */
const stallLeastMs = 5_000
const mostOfSilence = 0.7

function longestStall(evidence: Evidence): Stall | null {
  const around = aroundTheLoss(evidence)
  if (around === null) return null
  const near = changesBetween(evidence.host, around.toMs - nearMs, around.toMs)
  const stalls = near.filter((change): change is Stall => change.what === 'loopStalled')
  const enoughMs = Math.min(stallSurelyMs, Math.max(stallLeastMs, unheardMs(evidence) * mostOfSilence))
  const long = stalls.filter(({ stalledMs }) => stalledMs >= enoughMs)
  return long.sort((a, b) => b.stalledMs - a.stalledMs)[0] ?? null
}
