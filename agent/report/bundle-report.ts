/** The report of a bundle that somebody sent: whatever is in it is shown, also of older releases and from strangers. */
import type { Bundle } from '../bundle/unzip.js'
import { AgentError } from '../errors.js'
import type { Episode, Verdict } from '../evidence/episode.js'
import { reportData } from './data.js'
import type { ReportPiece } from './report.js'

/**
 * What was redacted when the bundle was made stays so; nothing more is taken out.
 *
 * @throws AgentError `BUNDLE_INVALID` for what cannot be read although the manifest lists it
 */
export function bundleReport({ manifest, ...bundle }: Bundle, signal: AbortSignal): AsyncGenerator<ReportPiece> {
  const { device, createdAt, requestedBy, why, window, versions } = manifest
  const isThere = (name: string): boolean => manifest.entries.some(entry => entry.name === name && entry.bytes > 0)
  return reportData({
    head: { device, createdAt, requestedBy, why, window: spanOf(window), versions },
    async *episodes() {
      if (isThere('episodes.json')) for (const episode of await bundle.episodes()) yield whole(episode)
    },
    episodesGone: () => 0,
    async *records() {
      if (isThere('records.ndjson')) yield* bundle.records({ signal })
    },
    redacted: value => value,
  })
}

function spanOf(window: unknown): { from: string; to: string } {
  const { from, to } = (window ?? {}) as { from?: unknown; to?: unknown }
  if (isTime(from) && isTime(to)) return { from, to }
  throw new AgentError('BUNDLE_INVALID', 'manifest.json: window: expected two times')
}

const isTime = (value: unknown): value is string => typeof value === 'string' && !Number.isNaN(Date.parse(value))

/** With whatever it lacks: another release, or a stranger, may have left out what a page relies on. */
function whole(episode: Episode): Episode {
  const verdict = episode.verdict as Partial<Record<keyof Verdict, unknown>>
  return {
    ...episode,
    planned: episode.planned === true,
    durationMs: numberOr(
      episode.durationMs,
      episode.endedAt === null ? null : lengthOf(episode.startedAt, episode.endedAt),
    ),
    session: typeof episode.session?.lastedMs === 'number' ? episode.session : null,
    detectedAfterMs: numberOr(episode.detectedAfterMs, null),
    attempts: numberOr(episode.attempts, 0),
    waitedMs: numberOr(episode.waitedMs, 0),
    sdkSaid: episode.sdkSaid ?? null,
    verdict: {
      cause: textOr(verdict.cause, 'unknown'),
      confidence: textOr(verdict.confidence, 'unknown') as Verdict['confidence'],
      title: textOr(verdict.title, textOr(verdict.cause, 'unknown')),
      hubCodes: textsOf(verdict.hubCodes),
      evidence: textsOf(verdict.evidence),
      nextSteps: textsOf(verdict.nextSteps),
      docs: textsOf(verdict.docs),
      runnersUp: (Array.isArray(verdict.runnersUp) ? verdict.runnersUp : []).filter(isObject) as never,
    },
  }
}

const lengthOf = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from))

const numberOr = <T extends number | null>(value: unknown, otherwise: T): number | T =>
  typeof value === 'number' && Number.isFinite(value) ? value : otherwise

const textOr = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise)

const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : []).filter(each => typeof each === 'string')

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
