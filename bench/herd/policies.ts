/** Who decides when a device dials: hubrec's own code, the SDK's own class, and what else could have been chosen. */
import common from 'azure-iot-common'
import { after, defaultLimits, initialBackoff, nextDelay } from '../../transports/backoff.js'
import type { Dialler } from './herd.js'

export type Policy = Readonly<{ name: string; makeDialler(random: () => number): () => Dialler }>

/** As the supervisor uses it: a good session was lost, and each refusal is the network's or the hub's. */
const hubrec: Policy = {
  name: 'hubrec',
  makeDialler: random => () => {
    let backoff = initialBackoff(0)
    return {
      lost(nowMs) {
        backoff = after(backoff, { what: 'sessionEnded', lastedMs: 3_600_000, likeTakeOver: false }, nowMs)
        return nextDelay(backoff, defaultLimits, nowMs, random).delayMs
      },
      refused(nowMs) {
        backoff = after(backoff, { what: 'attemptFailed', refused: false }, nowMs)
        return nextDelay(backoff, defaultLimits, nowMs, random).delayMs
      },
    }
  },
}

/** `Client` gives an operation four minutes. */
const sdkOperationMs = 240_000

/** @param isRestarted by its application, whenever it has given up: it begins anew */
const sdk = (name: string, isRestarted: boolean): Policy => ({
  name,
  makeDialler: () => () => {
    const policy = new common.ExponentialBackOffWithJitter()
    let tries = 0
    let sinceMs = 0
    return {
      // A CONNACK of "server unavailable" is no ThrottlingError to it.
      lost(nowMs) {
        sinceMs = nowMs
        return policy.nextRetryTimeout(tries, false)
      },
      refused(nowMs) {
        tries += 1
        if (nowMs - sinceMs < sdkOperationMs) return policy.nextRetryTimeout(tries, false)
        if (!isRestarted) return null
        sinceMs = nowMs
        tries = 0
        return policy.nextRetryTimeout(tries, false)
      },
    }
  },
})

const capMs = defaultLimits.capMs

/** From a ceiling that doubles, as hubrec's does. */
const doubling = (name: string, delayOf: (ceilingMs: number, random: () => number) => number): Policy => ({
  name,
  makeDialler: random => () => {
    let failures = 0
    const next = (): number => delayOf(Math.min(capMs, 1_000 * 2 ** Math.min(failures, 16)), random)
    return {
      lost: next,
      refused() {
        failures += 1
        return next()
      },
    }
  },
})

/** Each wait is drawn from one to three times the one before. */
const decorrelated: Policy = {
  name: 'decorrelated jitter',
  makeDialler: random => () => {
    let delayMs = 1_000
    const next = (): number => {
      delayMs = Math.min(capMs, 1_000 + random() * (3 * delayMs - 1_000))
      return delayMs
    }
    return { lost: () => random() * 1_000, refused: next }
  },
}

export const policies: readonly Policy[] = [
  hubrec,
  sdk('SDK, restarted when it gives up', true),
  sdk('SDK as it is', false),
  doubling('full jitter', (ceilingMs, random) => random() * ceilingMs),
  doubling('half jitter', (ceilingMs, random) => ceilingMs / 2 + (random() * ceilingMs) / 2),
  decorrelated,
]
