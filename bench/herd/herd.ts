/** A fleet that loses its hub at one moment, and a hub that admits so many connections a second: discrete events, no sockets. */

/** When a device dials, from what it has met; one for each device. */
export interface Dialler {
  /** The hub is gone. @returns how long until the first CONNECT, in ms */
  lost(nowMs: number): number
  /** A CONNECT was not admitted. @returns how long until the next one, in ms; `null`: there is none */
  refused(nowMs: number): number | null
}

export type Herd = Readonly<{
  devices: number
  /** Admitted in a second; what comes beyond that is refused. */
  ratePerSecond: number
  /** From CONNECT to its answer. */
  answerMs: number
  /** Nobody looks on for longer. */
  patienceMs: number
}>

export type Outcome = Readonly<{
  /** Until the last device was back that came back at all. */
  allBackMs: number
  /** Devices that gave up, or were not back in time. */
  left: number
  connects: number
  /** Of one device. */
  connectsMax: number
  /** In the busiest second. */
  connectsPerSecondMax: number
}>

const second = 1_000

/**
 * The hub's limit is a bucket that holds one second's worth, as a rate per second is kept. A refused CONNECT costs it nothing.
 * Devices that dial at the same moment are served in the order in which they began to wait.
 */
export function stampede(herd: Herd, makeDialler: (device: number) => Dialler): Outcome {
  const { devices, ratePerSecond, answerMs, patienceMs } = herd
  const diallers = Array.from({ length: devices }, (_, device) => makeDialler(device))
  const queue = createQueue(devices)
  const counts = new Uint32Array(devices)
  const perSecond = new Map<number, number>()
  let [back, left, connects, allBackMs] = [0, 0, 0, 0]
  let [tokens, filledMs] = [ratePerSecond, 0]

  for (const [device, dialler] of diallers.entries()) queue.push(dialler.lost(0), device)
  for (let next = queue.pop(); next !== null; next = queue.pop()) {
    const { atMs, device } = next
    if (atMs > patienceMs) break
    connects += 1
    counts[device]! += 1
    const inSecond = Math.floor(atMs / second)
    perSecond.set(inSecond, (perSecond.get(inSecond) ?? 0) + 1)
    tokens = Math.min(ratePerSecond, tokens + ((atMs - filledMs) / second) * ratePerSecond)
    filledMs = atMs
    const answeredMs = atMs + answerMs
    if (tokens >= 1) {
      tokens -= 1
      back += 1
      allBackMs = answeredMs
      continue
    }
    const delayMs = diallers[device]!.refused(answeredMs)
    if (delayMs === null) left += 1
    else queue.push(answeredMs + delayMs, device)
  }
  left = devices - back
  return {
    allBackMs,
    left,
    connects,
    connectsMax: counts.reduce((most, count) => Math.max(most, count), 0),
    connectsPerSecondMax: Math.max(...perSecond.values()),
  }
}

type Queue = { push(atMs: number, device: number): void; pop(): { atMs: number; device: number } | null }

/** A binary heap; of equal times the one that was pushed first comes first. */
function createQueue(capacity: number): Queue {
  const times = new Float64Array(capacity)
  const order = new Float64Array(capacity)
  const devices = new Uint32Array(capacity)
  let size = 0
  let pushed = 0
  const isBefore = (a: number, b: number): boolean =>
    times[a]! < times[b]! || (times[a] === times[b] && order[a]! < order[b]!)
  const swap = (a: number, b: number): void => {
    for (const values of [times, order, devices]) [values[a], values[b]] = [values[b]!, values[a]!]
  }
  return {
    push(atMs, device) {
      let at = size++
      times[at] = atMs
      order[at] = pushed++
      devices[at] = device
      for (let parent = (at - 1) >> 1; at > 0 && isBefore(at, parent); at = parent, parent = (at - 1) >> 1)
        swap(at, parent)
    },
    pop() {
      if (size === 0) return null
      const first = { atMs: times[0]!, device: devices[0]! }
      size -= 1
      swap(0, size)
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        let least = at
        if (left < size && isBefore(left, least)) least = left
        if (right < size && isBefore(right, least)) least = right
        if (least === at) break
        swap(at, least)
        at = least
      }
      return first
    },
  }
}
