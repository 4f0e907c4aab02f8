/** One fault on one protocol, once: strike both sides at the same moment, and wait until each is back or the patience is over. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BackoffLimits, defaultLimits } from '../../transports/backoff.js'
import type { Protocol } from '../../transports/wire-event.js'
import type { Fault, Stage } from './faults.js'
import { jitterAt, type Wire } from './jitter.js'
import { nowMs, Pair, type PairOptions, type Said } from './pair.js'
import type { Round } from './verdict.js'

export type Settings = Readonly<{
  rounds: number
  /** How long a lasting fault holds. */
  lastsSeconds: number
  /** How long each side gets to come back after the fault's end. */
  patienceSeconds: number
  keepaliveSeconds: PairOptions['keepaliveSeconds']
  takeOverSeconds: PairOptions['takeOverSeconds']
  /** At once. */
  pairs: number
  long: boolean
}>

/** After both are up, so that nothing of their start is still on its way. */
const settledMs = 1_000

export async function measure(
  fault: Fault,
  protocol: Protocol,
  name: string,
  settings: Settings,
  around: Pick<PairOptions, 'hub' | 'dir' | 'signal'>,
): Promise<Round> {
  const { keepaliveSeconds, takeOverSeconds } = settings
  await using pair = await Pair.start({ ...around, protocol, name, keepaliveSeconds, takeOverSeconds })
  const { hub, signal } = around
  const stage: Stage = { hub, names: pair.names, deviceIds: [pair.ids.hubrec, pair.ids.sdk] }
  await sleep(settledMs, undefined, { signal })
  await fault.prepare?.(stage)

  const struckMs = nowMs()
  await fault.strike(stage)
  const heldMs = holds(fault, settings)
  if (heldMs > 0) await sleep(heldMs, undefined, { signal })
  const endsInstantly = heldMs === 0
  if (!endsInstantly) await fault.heal?.(stage)
  const endedMs = endsInstantly ? struckMs : nowMs()

  const patienceMs = settings.patienceSeconds * 1e3
  const [hubrecBackMs, sdkBackMs] = await Promise.all([
    pair.answersAfter('hubrec', patienceMs),
    pair.answersAfter('sdk', patienceMs),
  ])
  const said = pair.said(struckMs)
  const wires = await pair.wires()
  return {
    hubrec: { noticedMs: noticedBy(wires, struckMs), backMs: hubrecBackMs },
    sdk: { noticedMs: toldAt(said, struckMs), backMs: sdkBackMs, said: said.map(wordsOf) },
    jitterMs: jitterAt(wires, endedMs, limitsOf(settings)),
  }
}

export function holds({ holds }: Fault, { lastsSeconds }: Settings): number {
  if (holds === 'instant') return 0
  return holds === 'lasting' ? lastsSeconds * 1e3 : holds.ms
}

/** Its own goodbye, when it is stopped in the end, is no notice. */
const noticedBy = (wires: readonly Wire[], struckMs: number): number | null => {
  const ended = wires.find(
    ({ monoMs, data: { type, reason } }) =>
      monoMs >= struckMs && (type === 'detached' || (type === 'closed' && reason !== 'shutdown')),
  )
  return ended ? ended.monoMs - struckMs : null
}

/** The application is told of a loss, or of a connection that is new. */
const toldAt = (said: readonly Said[], struckMs: number): number | null => {
  const first = said.find(({ event }) => event === 'disconnect' || event === 'connect')
  return first ? first.monoMs - struckMs : null
}

const wordsOf = ({ event, said }: Said): string => (said === null ? event : `${event}: ${said}`)

const limitsOf = ({ takeOverSeconds: { floor, cap } }: Settings): BackoffLimits => ({
  ...defaultLimits,
  takeOverFloorMs: floor * 1e3,
  takeOverCapMs: cap * 1e3,
})
