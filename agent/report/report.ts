/**
 * report.json, version 1: what report.html shows, for scripts. One object with these fields in this order: `format`, `head`, `episodes`,
 * `timeline`, `series`, `points`, `summary`. Within a version fields are added and never changed; a reader passes over the kinds of
 * timeline items that it does not know. Times that end in `At` are RFC 3339 by the device's clock, those that end in `Ms` are milliseconds.
 */
import type { Failure, Protocol, Stage } from '../../transports/wire-event.js'
import type { Span } from '../bundle/manifest.js'
import type { Family } from '../diagnosis/cause.js'
import type { Confidence, Episode } from '../evidence/episode.js'
import type { RecordType } from '../evidence/record.js'
import type { Versions } from '../versions.js'

export const reportFormat = 'hubrec-report/1'

export type ReportHead = Readonly<{
  device: string
  /** Of the bundle. */
  createdAt: string
  requestedBy: string
  why: string
  /** What was asked for. */
  window: Span
  versions: Versions
}>

/** To what an item belongs; `null` where no outage of its connection was open, or none is known. */
type InEpisode = Readonly<{ episode: string | null; conn: string | null }>

/** One step of an attempt that succeeded. */
export type AttemptStep = Readonly<{
  step: 'dns' | 'tcp' | 'proxy' | 'tls' | 'upgrade' | 'auth' | 'accepted'
  ms: number
  /** What came of it: an address, a TLS version. */
  result: string | null
}>

export type Attempt = InEpisode &
  Readonly<{
    kind: 'attempt'
    startedAt: string
    endedAt: string | null
    protocol: Protocol | null
    host: string | null
    port: number | null
    /** `unfinished`: nothing says how it ended. `notDialled`: the provisioning service gave no hub. */
    outcome: 'accepted' | 'refused' | 'closed' | 'notDialled' | 'unfinished'
    steps: readonly AttemptStep[]
    /** How far it came; `null` where it was accepted. */
    stage: Stage | null
    /** Who ended or refused it, and how: `network rst`, `connack 5`. `null` where it was accepted. */
    how: string | null
    /** What was said with it. */
    reason: string | null
    error: Failure | null
  }>

/** A wait that was announced before the next attempt. */
export type Wait = InEpisode & Readonly<{ kind: 'wait'; at: string; delayMs: number; policy: string | null }>

/**
 * What is worth a line beside the attempts: what the SDK told its application, what the way to the hub answered when it was asked, steps of
 * the clock, lasting conditions, and what was logged, at level 40 (warning) and above. Outside of outages only what has a `null` connection.
 */
export type EventItem = InEpisode &
  Readonly<{ kind: 'event'; at: string; level: number; type: RecordType; text: string }>

/** So many attempts, waits and events of one episode are not in the timeline: `records.ndjson` has them all. */
export type LeftOut = InEpisode & Readonly<{ kind: 'leftOut'; at: string; count: number }>

export type Session = Readonly<{
  kind: 'session'
  conn: string | null
  startedAt: string
  /** `null`: it goes on at the end of the window, as far as is known. */
  endedAt: string | null
  /** Until the end of the window where it goes on. */
  lastedMs: number
  /** `network rst`; `null` where it goes on. */
  how: string | null
}>

/** `at` is where the reader noticed; what is missing may be older. */
export type GapItem = Readonly<{
  kind: 'gap'
  at: string
  reason: string
  count: number
  fromSeq: number | null
  toSeq: number | null
}>

export type MarkItem = Readonly<{ kind: 'mark'; at: string; id: string; note: string }>

/** The recorder itself. */
export type RunItem = Readonly<{ kind: 'start' | 'stop'; at: string }>

/** In the order of the records that tell of them; an attempt where it ended. */
export type TimelineItem = Attempt | Wait | EventItem | LeftOut | Session | GapItem | MarkItem | RunItem

/** What was read again and again, by periodic samples and by keepalive pings. Its values are in `points`. */
export type Series = Readonly<{
  /** `rtt.tcp`, `signal.wlan0`. */
  name: string
  /** Series of one plot have one unit: `rtt`, `signal`, `retransmits`, `memory`, `temperature`, `disk`. */
  plot: string
  title: string
  unit: 'ms' | 'dBm' | 'segments' | 'bytes' | '°C'
  /** Of all readings, also of those that are not in `points`. */
  count: number
  min: number
  max: number
  last: number
  /** Readings that are not in `points`: of many beside each other the smallest and the largest are kept. */
  thinned: number
}>

/** Some of a series, oldest first; a series may stand in several, and they continue each other. */
export type Points = Readonly<{
  series: string
  /** Unix milliseconds. */
  timesMs: readonly number[]
  values: readonly number[]
}>

export type CauseSummary = Readonly<{
  cause: string
  title: string
  family: Family
  /** Renewals and goodbyes: nothing to repair. */
  planned: boolean
  /** Whether it counts as a fault: neither planned nor the service's own upgrade. */
  isFault: boolean
  count: number
  /** Still open at the end of the window. */
  open: number
  /** Without a connection, all together; of what is open until the end of the window. */
  awayMs: number
  longestMs: number
  confidence: Readonly<Partial<Record<Confidence, number>>>
  /** Its newest episode, whose advice it is. */
  newestId: string
  newestAt: string
  nextSteps: readonly string[]
  docs: readonly string[]
}>

export type ReportSummary = Readonly<{
  /** What kept the rest from being read; `null` when all of it is there. */
  incomplete: string | null
  /** The first and the last record; `null` when there is none. */
  covered: Span | null
  /** What took longest first. */
  causes: readonly CauseSummary[]
  /** How many sessions ended within each length, the longer one not included; the last has no end. */
  sessionLengths: readonly Readonly<{ fromMs: number; toMs: number | null; count: number }>[]
  totals: Readonly<{
    episodes: number
    faults: number
    planned: number
    /** Of the faults. */
    awayMs: number
    sessions: number
    gaps: number
    /** Records that are missing, by the gaps. */
    recordsMissing: number
    /** Of the oldest gone while the report was made, because the ring is full. */
    episodesGone: number
    seriesLeftOut: number
  }>
}>

/** A piece of a report, as it is made: sections come one after the other, in this order. */
export type ReportPiece =
  | Readonly<{ section: 'head'; value: ReportHead }>
  | Readonly<{ section: 'episodes'; rows: readonly Episode[] }>
  | Readonly<{ section: 'timeline'; rows: readonly TimelineItem[] }>
  | Readonly<{ section: 'series'; rows: readonly Series[] }>
  | Readonly<{ section: 'points'; rows: readonly Points[] }>
  | Readonly<{ section: 'summary'; value: ReportSummary }>

/** The whole of it, where it is small enough to be held. */
export type Report = Readonly<{
  format: typeof reportFormat
  head: ReportHead
  episodes: readonly Episode[]
  timeline: readonly TimelineItem[]
  series: readonly Series[]
  points: readonly Points[]
  summary: ReportSummary
}>
