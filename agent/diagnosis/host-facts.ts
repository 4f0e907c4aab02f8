/** What rules ask of the host around a connection: whether there was a way out, and what befell it near a moment. */
import type { Evidence } from '../evidence/episode.js'
import type { HostChange, HostState, Surroundings } from '../evidence/surroundings.js'
import { lostForMs } from './wire-facts.js'
import { duration, moment } from './words.js'

/** A sample tells of what was up to an interval before it, but not of what is long over; one is taken when a session is lost. */
const sampleMs = { min: 30_000, max: 10 * 60_000 } as const
const intervalMs = ({ state }: Surroundings): number =>
  Math.min(sampleMs.max, Math.max(sampleMs.min, state?.everyMs ?? 0))

/** One is taken when a session is lost, a second after the one before at the soonest: what it does not show came later. */
const sampleTakesMs = 4_000

/** Sentences in one verdict: who reads them wants the few that matter. */
const toldMax = 6

type Change<What extends HostChange['what']> = Extract<HostChange, { what: What }>

/** From when to when something on this host can have to do with how the session ended; `null` where it did not end in a session. */
export function aroundTheLoss({
  ending,
  host,
}: Pick<Evidence, 'ending' | 'host'>): Readonly<{ fromMs: number; toMs: number }> | null {
  if (ending.kind !== 'closed') return null
  const { endedMs, event } = ending
  return { fromMs: endedMs - lostForMs(event) - intervalMs(host), toMs: endedMs + sampleTakesMs }
}

export const changesBetween = ({ changes }: Surroundings, fromMs: number, toMs: number): readonly HostChange[] =>
  changes.filter(({ seenMs }) => seenMs >= fromMs && seenMs <= toMs)

export function changesAround(evidence: Evidence): readonly HostChange[] {
  const around = aroundTheLoss(evidence)
  return around === null ? [] : changesBetween(evidence.host, around.fromMs, around.toMs)
}

/**
 * The way out that was lost near the end of the session: the carrier of the interface that the default route leaves by, or the
 * route itself. Of an interface that no route is known to leave by, nothing follows.
 */
export function lostWayOut(evidence: Evidence): Change<'carrierLost'> | Change<'routeChanged'> | null {
  const changes = changesAround(evidence)
  const routes = changes.filter((change): change is Change<'routeChanged'> => change.what === 'routeChanged')
  const gone = routes.find(({ from, to }) => from !== null && to === null)
  const left = new Set([
    ...(evidence.host.state?.defaultRoutes ?? []).slice(0, 1).map(interfaceOf),
    ...routes.flatMap(({ from }) => (from === null ? [] : [interfaceOf(from)])),
  ])
  const carrier = changes.find(
    (change): change is Change<'carrierLost'> => change.what === 'carrierLost' && left.has(change.interface),
  )
  return carrier ?? gone ?? null
}

const interfaceOf = (route: string): string => route.split(' ')[0] ?? route

/**
 * Why nothing could leave this host at a moment: its default route had gone away. `null` where there was one, where nobody looked,
 * and where there never was one, because a host may reach its hub without.
 */
export function withoutWayOut(host: Surroundings, atMs: number): string | null {
  const { changes, state, lastGood } = host
  if (state === null || state.defaultRoutes === null || state.seenMs < atMs - intervalMs(host)) return null
  const routes = changes.filter((change): change is Change<'routeChanged'> => change.what === 'routeChanged')
  const last = routes.findLast(({ seenMs }) => seenMs <= atMs)
  // What was then is what the next change began with.
  const next = routes.find(({ seenMs }) => seenMs > atMs)
  const route = next === undefined ? (state.defaultRoutes[0] ?? null) : next.from
  if (route !== null) return withoutCarrier(state, changes, route, atMs)
  if (last !== undefined) return `${tellChange(last, atMs)}`
  const before = lastGood?.differs.find(({ what }) => what === 'default route')?.before
  return before === undefined ? null : `There is no default route; in the last good session it was ${before}.`
}

/** The route stays when the cable is pulled. One that was seen to be pulled after that moment may have been in until then. */
function withoutCarrier(
  { links }: HostState,
  changes: readonly HostChange[],
  route: string,
  atMs: number,
): string | null {
  const name = interfaceOf(route)
  const isDown = links.some(link => link.name === name && link.carrier === false)
  const isLater = changes.some(
    change => change.what === 'carrierLost' && change.interface === name && change.seenMs > atMs,
  )
  return isDown && !isLater ? `${name}, by which the default route leaves, has no carrier.` : null
}

/** Whether nothing was heard from the hub for most of such a time before the end: else the session has outlived what took it. */
export const wasUnheardFor = (evidence: Pick<Evidence, 'ending'>, ms: number): boolean =>
  evidence.ending.kind === 'closed' && unheardMs(evidence) >= ms * 0.8

/** For how long the hub was not heard when the session ended, or we were not heard by it. */
export const unheardMs = ({ ending }: Pick<Evidence, 'ending'>): number =>
  ending.kind === 'closed' ? Math.max(ending.event.silentMs, lostForMs(ending.event)) : 0

/** How long the host slept near the end of the session; 0 where it did not. */
export const sleptMs = (evidence: Evidence): number =>
  changesAround(evidence)
    .filter((change): change is Change<'resumed'> => change.what === 'resumed')
    .reduce((sum, { suspendedMs }) => sum + suspendedMs, 0)

/** What was around the loss, and what is otherwise than in the last good session: for every verdict, whatever its cause. */
export function tellSurroundings(evidence: Evidence): string[] {
  const { lastGood } = evidence.host
  const lossMs = evidence.ending.kind === 'closed' ? evidence.ending.endedMs : null
  const befell = lossMs === null ? [] : changesAround(evidence).map(change => tellChange(change, lossMs))
  const differs = (lastGood?.differs ?? []).map(({ what, before, now }) => `${what}: ${before} before, ${now} now`)
  return [
    ...[...new Set(befell)].slice(-toldMax),
    ...(lastGood === null || differs.length === 0
      ? []
      : [`Otherwise than in the last good session (until ${moment(lastGood.endedMs)}): ${differs.join('; ')}.`]),
  ]
}

/** As a sentence, with its distance from the moment that it is about. */
export function tellChange(change: HostChange, atMs: number): string {
  const apartMs = change.seenMs - atMs
  const when =
    Math.abs(apartMs) < 1_000 ? 'at that time' : `${duration(Math.abs(apartMs))} ${apartMs < 0 ? 'before' : 'after'} it`
  return `${what(change)} (seen ${when}).`
}

function what(change: HostChange): string {
  switch (change.what) {
    case 'carrierLost':
      return `${change.interface} lost its carrier`
    case 'carrierBack':
      return `${change.interface} got its carrier back`
    case 'routeChanged':
      return change.to === null
        ? `The default route (${change.from}) went away`
        : `The default route became ${change.to}${change.from === null ? '' : ` in place of ${change.from}`}`
    case 'addressesChanged':
      return `The addresses of ${change.interface} became ${list(change.to)} in place of ${list(change.from)}`
    case 'resolversChanged':
      return `The DNS servers became ${list(change.to)} in place of ${list(change.from)}`
    case 'roamed':
      return `${change.interface} moved from access point ${change.fromBssid} to ${change.toBssid}`
    case 'signalWeak':
      return `The signal of ${change.interface} was down to ${change.signalDbm} dBm`
    case 'resumed':
      return `The device woke after ${duration(change.suspendedMs)} of sleep`
    case 'clockStepped':
      return `The wall clock was set ${change.byMs < 0 ? 'back' : 'forward'} by ${duration(Math.abs(change.byMs))}`
    case 'loopStalled':
      return `The process stood still for ${duration(change.stalledMs)}`
    case 'pressure':
      return `Tasks waited for ${resources[change.of]} for ${Math.round(change.percent)} % of the time`
    case 'undervoltage':
      return 'The supply voltage was too low'
    case 'throttled':
      return 'The processor was throttled'
    case 'diskFull':
      return `The disk (${change.path}) was full`
    case 'diskReadOnly':
      return `The disk (${change.path}) was read-only`
  }
}

const resources = { memory: 'memory', cpu: 'the processor', io: 'the disk' } as const

const list = (values: readonly string[]): string => (values.length === 0 ? 'none' : values.join(', '))
