/**
 * What a session that lasted leaves behind, for the day on which there is none: where the hub was then, who vouched for it, and by
 * which road. Pure.
 */
import * as v from 'valibot'
import type { WireEvent } from '../../transports/wire-event.js'
import type { Difference, HostState } from './surroundings.js'

/** Kept in the `session` record that it ended with. */
export type Baseline = Readonly<{
  /** Wall time. */
  endedMs: number
  hubAddresses: readonly string[]
  issuer: string | null
  /** The quickest answer to a ping. */
  rttMs: number | null
  ownAddresses: readonly string[]
  resolvers: readonly string[] | null
  defaultRoute: string | null
  bssid: string | null
  synchronised: boolean | null
  /** What ran, as one text. */
  versions: string
}>

/** What one connection shows of the other side: of the newest attempt, and of its session. */
export type Shown = Pick<Baseline, 'hubAddresses' | 'issuer' | 'rttMs'>

export const nothingShown: Shown = { hubAddresses: [], issuer: null, rttMs: null }

/** What is the same for all connections of a host. */
export type Here = Readonly<{ host: HostState | null; synchronised: boolean | null; versions: string }>

/** Shorter ones may have been bad all along. */
export const goodSessionMs = 60_000

const textMax = 256

export function show(shown: Shown, event: WireEvent): Shown {
  switch (event.type) {
    case 'connecting':
      return nothingShown
    case 'resolved':
      return { ...shown, hubAddresses: [...event.addresses].sort() }
    case 'tlsSecured':
      return { ...shown, issuer: event.certificate.issuer }
    case 'pongReceived':
      return { ...shown, rttMs: Math.min(shown.rttMs ?? event.rttMs, event.rttMs) }
    case 'closed':
      return event.certificate === null ? shown : { ...shown, issuer: event.certificate.issuer }
    default:
      return shown
  }
}

const texts = v.array(v.string())
const schema = v.object({
  endedMs: v.number(),
  hubAddresses: texts,
  issuer: v.nullable(v.string()),
  rttMs: v.nullable(v.number()),
  ownAddresses: texts,
  resolvers: v.nullable(texts),
  defaultRoute: v.nullable(v.string()),
  bssid: v.nullable(v.string()),
  synchronised: v.nullable(v.boolean()),
  versions: v.string(),
}) satisfies v.GenericSchema<unknown, Baseline>

/** @param data a `session` record's, of whatever release; `null` where it holds no baseline */
export function baselineIn(data: unknown): Baseline | null {
  const read = v.safeParse(v.object({ baseline: schema }), data)
  return read.success ? read.output.baseline : null
}

export function baselineOf(shown: Shown, { host, synchronised, versions }: Here, endedMs: number): Baseline {
  return {
    endedMs,
    ...shown,
    ownAddresses: ownAddresses(host),
    resolvers: host?.resolvers ?? null,
    defaultRoute: host?.defaultRoutes?.[0] ?? null,
    bssid: bssidOf(host),
    synchronised,
    versions,
  }
}

const ownAddresses = (host: HostState | null): readonly string[] =>
  (host?.links ?? []).flatMap(link => link.addresses).sort()

const bssidOf = (host: HostState | null): string | null =>
  host?.links.find(({ bssid }) => bssid !== null)?.bssid ?? null

/** A round trip that takes so many times longer, and so much, is another road. */
const slowerFactor = 3
const slowerMs = 200

/** Only where both are known: what is not known does not differ. */
export function differences(before: Baseline, shown: Shown, here: Here): Difference[] {
  const now = baselineOf(shown, here, 0)
  const found: Difference[] = []
  const compare = (what: Difference['what'], old: string | null, current: string | null): void => {
    if (old !== null && current !== null && old !== current) found.push({ what, before: cut(old), now: cut(current) })
  }
  // A hub has several, and hands out others each time: another is one that has none of them.
  if (now.hubAddresses.length > 0 && !now.hubAddresses.some(address => before.hubAddresses.includes(address))) {
    compare('hub addresses', listed(before.hubAddresses), listed(now.hubAddresses))
  }
  if (here.host !== null) {
    compare('own addresses', list(before.ownAddresses), list(now.ownAddresses))
    compare('default route', before.defaultRoute, now.defaultRoute ?? 'none')
  }
  compare('resolvers', before.resolvers && list(before.resolvers), now.resolvers && list(now.resolvers))
  compare('access point', before.bssid, now.bssid)
  compare('certificate issuer', before.issuer, now.issuer)
  if (before.rttMs !== null && now.rttMs !== null && isSlower(before.rttMs, now.rttMs)) {
    compare('round trip', `${Math.round(before.rttMs)} ms`, `${Math.round(now.rttMs)} ms`)
  }
  if (before.synchronised === true && here.synchronised === false) {
    compare('clock', 'synchronised', 'not synchronised')
  }
  compare('versions', before.versions, here.versions)
  return found
}

const isSlower = (beforeMs: number, nowMs: number): boolean =>
  nowMs > beforeMs * slowerFactor && nowMs - beforeMs > slowerMs

const list = (values: readonly string[]): string => (values.length === 0 ? 'none' : values.join(', '))
/** Nothing where nothing was seen. */
const listed = (values: readonly string[]): string | null => (values.length === 0 ? null : values.join(', '))
const cut = (value: string): string => value.slice(0, textMax)
