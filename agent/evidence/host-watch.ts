/**
 * From the readings of the host, one after the other, to what has changed: a link that lost its carrier, another route, a host
 * that slept. Pure, and the same for readings that are new and for those of a ring that is replayed, from whatever release.
 */
import * as v from 'valibot'
import { isInternal } from './samples/interfaces.js'
import type { HostChange, HostState, Link } from './surroundings.js'

/** What is remembered from reading to reading. */
export type HostWatch = Readonly<{
  changes: readonly HostChange[]
  state: HostState | null
  /** Between the newest readings, the newest last. */
  distancesMs: readonly number[]
  /** Of what was above its mark at the last reading, so that it is told when it begins. */
  above: ReadonlySet<string>
}>

export const nothingWatched: HostWatch = { changes: [], state: null, distancesMs: [], above: new Set() }

const changesMax = 64
const changesKeptMs = 3_600_000
const linksMax = 16
const fewMax = 8

/** Under this a radio repeats itself, and loses what it cannot repeat often enough. */
const weakDbm = -75
/** A keepalive is not sent while the loop stands. */
const stallMs = 1_000
/** Percent of the last ten seconds in which something waited. */
const pressureMarks = { memory: 20, cpu: 60, io: 60 } as const
const diskLeftBytes = 1 << 20

const orNull = <S extends v.GenericSchema>(schema: S) => v.fallback(v.nullable(schema), null)
const number = v.pipe(v.number(), v.finite())
const text = v.pipe(
  v.string(),
  v.transform(value => value.slice(0, 256)),
)
const texts = v.pipe(
  v.array(text),
  v.transform(values => values.slice(0, fewMax)),
)
const average = v.object({ someAvg10: orNull(number) })
const route = v.object({ interface: text, gateway: orNull(text) })

/** Each part by itself, because each may be missing, or of another shape in another release. */
const parts = v.object({
  interfaces: orNull(
    v.object({
      byName: v.record(
        v.string(),
        v.object({
          operstate: v.optional(orNull(text)),
          carrier: v.optional(orNull(number)),
          carrierChanges: v.optional(orNull(number)),
          addresses: v.optional(v.fallback(texts, [])),
          wireless: v.optional(orNull(v.object({ signalDbm: orNull(number) }))),
        }),
      ),
    }),
  ),
  accessPoints: orNull(v.record(v.string(), v.object({ bssid: text }))),
  routes: orNull(v.object({ v4: orNull(v.array(route)), v6: orNull(v.array(route)) })),
  resolvers: orNull(v.object({ nameservers: texts, uplinks: v.optional(orNull(texts), null) })),
  pressure: orNull(v.object({ memory: orNull(average), cpu: orNull(average), io: orNull(average) })),
  eventLoop: orNull(v.object({ maxMs: number })),
  power: orNull(v.object({ underVoltage: v.boolean(), throttled: v.optional(v.boolean(), false) })),
  disk: orNull(v.object({ freeBytes: number })),
  tcp: orNull(v.object({ rttMs: number, retransmitted: number })),
})
type Parts = v.InferOutput<typeof parts>

const missing: Parts = {
  interfaces: null,
  accessPoints: null,
  routes: null,
  resolvers: null,
  pressure: null,
  eventLoop: null,
  power: null,
  disk: null,
  tcp: null,
}

/** @param sample a `sample` record's data; what is none changes nothing */
export function watchSample(before: HostWatch, sample: unknown, seenMs: number): HostWatch {
  const given = typeof sample === 'object' && sample !== null ? sample : {}
  const read = v.safeParse(parts, { ...missing, ...given })
  if (!read.success || Object.values(read.output).every(part => part === null)) return before
  const found = read.output
  const distancesMs = [...before.distancesMs, ...(before.state === null ? [] : [seenMs - before.state.seenMs])].slice(
    -3,
  )
  const state = { ...stateOf(found, before.state, seenMs), everyMs: median(distancesMs) }
  const { marks, above } = marksOf(found, state, before.above, seenMs)
  const changes = before.state === null ? marks : [...changesBetween(before.state, state), ...marks]
  return { changes: kept([...before.changes, ...changes], seenMs), state, distancesMs, above }
}

/** @param change a `clock` record's data */
export function watchClock(before: HostWatch, change: unknown, seenMs: number): HostWatch {
  const {
    change: kind,
    byMs,
    suspendedMs,
  } = (typeof change === 'object' && change !== null ? change : {}) as Readonly<Record<string, unknown>>
  const told: HostChange[] = []
  if (kind === 'step' && typeof byMs === 'number') told.push({ what: 'clockStepped', byMs, seenMs })
  if (kind === 'resume' && typeof suspendedMs === 'number') told.push({ what: 'resumed', suspendedMs, seenMs })
  return told.length === 0 ? before : { ...before, changes: kept([...before.changes, ...told], seenMs) }
}

/** By a clock that may have been set back, what is newer than now is kept. */
const kept = (changes: readonly HostChange[], nowMs: number): readonly HostChange[] =>
  changes.filter(({ seenMs }) => nowMs - seenMs <= changesKeptMs).slice(-changesMax)

/** What this reading does not tell is as it was. */
function stateOf(found: Parts, before: HostState | null, seenMs: number): Omit<HostState, 'everyMs'> {
  const { interfaces, accessPoints, routes, resolvers, tcp } = found
  const links = Object.entries(interfaces?.byName ?? {})
    .filter(([name, { carrier }]) => carrier !== undefined && !isInternal(name))
    .slice(0, linksMax)
    .map(([name, link]): Link & { carrierChanges: number | null } => ({
      name: name.slice(0, 15),
      carrier: link.carrier == null ? (link.operstate === 'down' ? false : null) : link.carrier === 1,
      addresses: (link.addresses ?? []).filter(isGlobal).sort(),
      signalDbm: link.wireless?.signalDbm ?? null,
      bssid: accessPoints?.[name]?.bssid ?? before?.links.find(is(name))?.bssid ?? null,
      carrierChanges: link.carrierChanges ?? null,
    }))
  const told = routes === null ? null : [...(routes.v4 ?? []), ...(routes.v6 ?? [])]
  return {
    seenMs,
    links: links.length > 0 || interfaces !== null ? links : (before?.links ?? []),
    defaultRoutes: told?.map(routeText).slice(0, fewMax) ?? before?.defaultRoutes ?? null,
    // Where a stub stands before them, those behind it.
    resolvers: resolvers === null ? (before?.resolvers ?? null) : (resolvers.uplinks ?? resolvers.nameservers),
    tcp: tcp ?? before?.tcp ?? null,
  }
}

/** One that was taken early, or a host that slept, is not what is usual. */
const median = (values: readonly number[]): number | null =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null

const routeText = ({ interface: name, gateway }: v.InferOutput<typeof route>): string =>
  gateway === null ? name : `${name} via ${gateway}`

/** One that only this link knows says nothing of the way out. */
const isGlobal = (address: string): boolean => !/^(?:fe[89ab]|169\.254\.|127\.|::1$)/i.test(address)

function changesBetween(before: HostState, now: HostState): HostChange[] {
  const { seenMs } = now
  const changes: HostChange[] = []
  const gone = before.links.filter(({ name, carrier }) => carrier === true && !now.links.some(is(name)))
  for (const { name } of gone) changes.push({ what: 'carrierLost', interface: name, seenMs })
  for (const link of now.links) {
    const known = before.links.find(is(link.name))
    if (!known) continue
    changes.push(...linkChanges(known, link, seenMs))
  }
  const [from = null] = before.defaultRoutes ?? []
  const [to = null] = now.defaultRoutes ?? []
  if (from !== to && before.defaultRoutes !== null) changes.push({ what: 'routeChanged', from, to, seenMs })
  if (before.resolvers !== null && now.resolvers !== null && !same(before.resolvers, now.resolvers)) {
    changes.push({ what: 'resolversChanged', from: before.resolvers, to: now.resolvers, seenMs })
  }
  return changes
}

const is =
  (wanted: string) =>
  ({ name }: Link): boolean =>
    name === wanted

type CountedLink = Link & Readonly<{ carrierChanges?: number | null }>

function linkChanges(before: CountedLink, now: CountedLink, seenMs: number): HostChange[] {
  const { name } = now
  const changes: HostChange[] = []
  // The kernel counts both ways: a link that is as it was may have been gone in between.
  const flapped =
    now.carrier === before.carrier && (now.carrierChanges ?? 0) > (before.carrierChanges ?? Number.MAX_VALUE)
  if (before.carrier !== false && now.carrier === false) changes.push({ what: 'carrierLost', interface: name, seenMs })
  if (before.carrier === false && now.carrier === true) changes.push({ what: 'carrierBack', interface: name, seenMs })
  if (flapped && now.carrier === true) {
    changes.push({ what: 'carrierLost', interface: name, seenMs }, { what: 'carrierBack', interface: name, seenMs })
  }
  if (!same(before.addresses, now.addresses)) {
    changes.push({ what: 'addressesChanged', interface: name, from: before.addresses, to: now.addresses, seenMs })
  }
  if (before.bssid !== null && now.bssid !== null && before.bssid !== now.bssid) {
    changes.push({ what: 'roamed', interface: name, fromBssid: before.bssid, toBssid: now.bssid, seenMs })
  }
  return changes
}

const same = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((one, at) => one === others[at])

/** What is worth telling by itself, once each time that it begins; a stall each time. */
function marksOf(
  found: Parts,
  { links }: HostState,
  before: ReadonlySet<string>,
  seenMs: number,
): { marks: HostChange[]; above: ReadonlySet<string> } {
  const crossed: (readonly [key: string, change: HostChange])[] = []
  for (const { name, signalDbm } of links) {
    if (signalDbm !== null && signalDbm < weakDbm) {
      crossed.push([`signal ${name}`, { what: 'signalWeak', interface: name, signalDbm, seenMs }])
    }
  }
  for (const of of ['memory', 'cpu', 'io'] as const) {
    const percent = found.pressure?.[of]?.someAvg10 ?? 0
    if (percent >= pressureMarks[of]) crossed.push([`pressure ${of}`, { what: 'pressure', of, percent, seenMs }])
  }
  if (found.power?.underVoltage) crossed.push(['undervoltage', { what: 'undervoltage', seenMs }])
  if (found.power?.throttled) crossed.push(['throttled', { what: 'throttled', seenMs }])
  if (found.disk !== null && found.disk.freeBytes < diskLeftBytes) {
    crossed.push(['disk', { what: 'diskFull', path: 'stateDir', seenMs }])
  }
  const marks = crossed.filter(([key]) => !before.has(key)).map(([, change]) => change)
  const stalledMs = found.eventLoop?.maxMs ?? 0
  if (stalledMs >= stallMs) marks.push({ what: 'loopStalled', stalledMs, seenMs })
  return { marks, above: new Set(crossed.map(([key]) => key)) }
}
