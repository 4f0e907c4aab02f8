/** The device was suspended. */
import { type Cause, knowable, maybe } from '../cause.js'
import { sleptMs, wasUnheardFor } from '../host-facts.js'
import { pages } from '../pages.js'
import { closeOfEnding, isFin, isReset, wasSilent } from '../wire-facts.js'
import { duration } from '../words.js'

/** A hub waits for one and a half keepalives; a nap that is shorter than that of 60 s can pass unnoticed. */
const surelyMs = 90_000
const leastMs = 10_000

export const deviceSleep: Cause = {
  id: 'device-sleep',
  family: 'local',
  title: 'The device was asleep',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The wall clock has moved on much further than the running time; timers fire late, and the first write fails.',
    hub: 'A device that falls silent without a goodbye.',
    log: '404104 after one and a half keepalive intervals.',
  },
  meaning:
    'While a device is suspended its timers stand still. The hub closes the session meanwhile, and the device finds out when it wakes.',
  tells: {
    raises: 'Boot time has gone on and running time has not, or a resume was recorded.',
    rulesOut: 'Running time and boot time agree over the whole outage.',
  },
  nextSteps: {
    device: [
      'Close the connection before suspending and make a new one after waking, or switch suspending off.',
      'Run `journalctl | grep -i suspend` to see when it slept.',
    ],
    portal: ['In the portal, expect 404104 for each sleep.'],
  },
  docs: [pages.mqtt],

  fromEnding(ending, evidence) {
    const close = closeOfEnding(ending)
    const asleepMs = sleptMs(evidence)
    if (close === null || close.stage !== 'session' || asleepMs < leastMs || !wasUnheardFor(evidence, asleepMs))
      return null
    if (!wasSilent(close.closed) && !isFin(close) && !isReset(close)) return null
    return {
      confidence: asleepMs >= surelyMs ? 'certain' : 'likely',
      evidence: [`The device slept for ${duration(asleepMs)}, and the session was gone when it woke.`],
      runnersUp: [maybe('link-lost-keepalive', 'See whether the next loss comes without a sleep before it.')],
    }
  },
}
