/** From the evidence of one episode to its one verdict. Pure: the same evidence gives the same verdict, for ever. */
import type { Protocol } from '../../transports/wire-event.js'
import type { Confidence, Evidence, FailedAttempt, Verdict } from '../evidence/episode.js'
import { addressed, dialledIn, withPortal } from './addressed.js'
import { catalogue, findCause } from './catalogue.js'
import { type Cause, ceilingFor, type Finding, type RunnerUp } from './cause.js'
import { unknownClose } from './causes/unknown-close.js'
import { atMost, compareConfidence } from './confidence.js'
import { tellSurroundings } from './host-facts.js'
import { tellProbes } from './probe-facts.js'
import { tellRhythm } from './rhythm.js'
import { wasInterrupted } from './wire-facts.js'
import { count, duration } from './words.js'

export type Diagnosis = Readonly<{ verdict: Verdict; planned: boolean }>

/**
 * Judges an episode, also while it is open. It never throws.
 *
 * Once attempts have failed the verdict names what kept the device away, and what ended the session becomes evidence.
 * Before that, and when the first retry succeeds, what ended the session is the verdict. A restart in the middle of an
 * outage does not change what the outage was.
 */
export function diagnose(evidence: Evidence): Diagnosis {
  const judged = evidence.failed
    .filter(attempt => !wasInterrupted(attempt))
    .map((attempt): Judged => ({ attempt, ...judgeAttempt(attempt, evidence) }))
  const [winner, ...others] = ranked(judged)
  const pause = judgePause(evidence)
  if (pause !== null && evidence.stoodStillMs > (winner?.answersForMs ?? 0)) {
    return judgeByPause(pause, winner === undefined ? others : [winner, ...others], evidence)
  }
  const { ending, carriedOver } = evidence
  // While the outage goes on it matters what keeps the device away now; in the end, what took most of it: a device that
  // was switched off for hours and then failed one lookup was away because it was switched off.
  const restarted = ending.kind === 'crash' || ending.kind === 'goodbye'
  const wasOff = evidence.ended && restarted && evidence.beforeStartMs > outageMs(judged)
  if (winner !== undefined && !wasOff) return judgeByAttempts(winner, others, judged.length, evidence)
  const since = winner === undefined ? [] : [afterRestart(winner, judged, evidence)]
  if (carriedOver !== null && (ending.kind === 'crash' || ending.kind === 'goodbye'))
    return carryOn(carriedOver, evidence, since)
  return judgeByEnding(evidence, since)
}

const afterRestart = (winner: Group, judged: readonly Judged[], { beforeStartMs }: Evidence): string =>
  `${duration(beforeStartMs)} of the outage had passed before this run began; ${count(judged.length, 'attempt')} failed after that (${winner.cause.id}), for ${duration(outageMs(judged))}.`

const outageMs = (judged: readonly Judged[]): number =>
  judged.reduce((sum, { attempt }) => sum + attempt.answersForMs, 0)

/** `protocol` is the one it was seen over: what a device alone can know depends on it. */
type Judgement = Readonly<{ cause: Cause; finding: Finding; protocol: Protocol }>
type Judged = Judgement & Readonly<{ attempt: FailedAttempt }>

/** The attempts that one cause is to answer for. */
type Group = Readonly<{
  cause: Cause
  /** The surest of the findings, of equals the newest. */
  finding: Finding
  protocol: Protocol
  attempts: number
  answersForMs: number
}>

const recognised: readonly Cause[] = catalogue.filter(cause => cause !== unknownClose)

function judgeAttempt(attempt: FailedAttempt, evidence: Evidence): Judgement {
  const { protocol } = attempt
  for (const cause of recognised) {
    const finding = cause.fromAttempt?.(attempt, evidence)
    if (finding) return judgement(cause, finding, protocol)
  }
  return judgement(unknownClose, unknownClose.fromAttempt(attempt), protocol)
}

function judgeEnding(evidence: Evidence): Judgement {
  const { protocol } = evidence
  for (const cause of recognised) {
    const finding = cause.fromEnding?.(evidence.ending, evidence)
    if (finding) return judgement(cause, finding, protocol)
  }
  return judgement(unknownClose, unknownClose.fromEnding(evidence.ending, evidence), protocol)
}

function judgePause(evidence: Evidence): Judgement | null {
  if (evidence.stoodStillMs <= 0) return null
  for (const cause of recognised) {
    const finding = cause.fromPause?.(evidence)
    if (finding) return judgement(cause, finding, evidence.protocol)
  }
  return null
}

/** A rule may be surer than a device has any right to be over that protocol. */
const judgement = (cause: Cause, finding: Finding, protocol: Protocol): Judgement => ({
  cause,
  finding: { ...finding, confidence: atMost(finding.confidence, ceilingFor(cause, protocol)) },
  protocol,
})

/** The cause with the largest share of the outage first; then the one with more attempts; then the one seen earlier. */
function ranked(judged: readonly Judged[]): Group[] {
  const groups = new Map<Cause, Group>()
  for (const { cause, finding, protocol, attempt } of judged) {
    const group = groups.get(cause)
    const surest = group && compareConfidence(group.finding.confidence, finding.confidence) > 0 ? group : null
    groups.set(cause, {
      cause,
      finding: surest?.finding ?? finding,
      protocol: surest?.protocol ?? protocol,
      attempts: (group?.attempts ?? 0) + 1,
      answersForMs: (group?.answersForMs ?? 0) + attempt.answersForMs,
    })
  }
  // A Map keeps the order of first appearance, and sorting keeps the order of equals.
  return [...groups.values()].sort((a, b) => b.answersForMs - a.answersForMs || b.attempts - a.attempts)
}

function judgeByAttempts(winner: Group, others: readonly Group[], judged: number, evidence: Evidence): Diagnosis {
  const ofAll =
    evidence.failed.length < evidence.failedCount
      ? ` (of ${evidence.failedCount}; those in the middle were not kept)`
      : ''
  const outage = `${duration(winner.answersForMs)} without a connection.`
  const share =
    judged === 1
      ? `The one failed attempt${ofAll} ended so, and answers for ${outage}`
      : winner.attempts === judged
        ? `${judged === 2 ? 'Both' : `All ${judged}`} failed attempts${ofAll} ended so, and answer for ${outage}`
        : `${winner.attempts} of the ${judged} failed attempts${ofAll} ended so, and ${winner.attempts === 1 ? 'answers' : 'answer'} for ${outage}`
  const seen = others.map(
    ({ cause, finding, attempts, answersForMs }): RunnerUp => ({
      cause: cause.id,
      confidence: finding.confidence,
      toDecide: `It ended ${count(attempts, 'attempt')} itself and answers for ${duration(answersForMs)}. See which of the two the next attempts end by.`,
    }),
  )
  const finding = {
    ...winner.finding,
    evidence: [
      ...winner.finding.evidence,
      share,
      ...beside(others),
      ...before(evidence, winner.cause),
      ...otherWays(evidence, winner.cause),
      ...tellProbes(evidence),
      ...tellSurroundings(evidence),
    ],
    runnersUp: [...seen, ...winner.finding.runnersUp],
  }
  return conclude({ ...winner, finding }, evidence)
}

/** Nobody tried for longer than any cause kept those away who tried. */
function judgeByPause(pause: Judgement, tried: readonly Group[], evidence: Evidence): Diagnosis {
  const told = [
    ...pause.finding.evidence,
    ...beside(tried),
    ...before(evidence, pause.cause),
    ...otherWays(evidence, pause.cause),
    ...tellSurroundings(evidence),
  ]
  return conclude({ ...pause, finding: { ...pause.finding, evidence: told } }, evidence)
}

const beside = (groups: readonly Group[]): string[] =>
  groups.map(
    ({ cause, finding, attempts, answersForMs }) =>
      `${count(attempts, 'attempt')} ended by ${cause.id} (${duration(answersForMs)}): ${finding.evidence[0] ?? cause.title}`,
  )

/** That it was tried over another protocol or in another hub, and whether that was the way back. */
function otherWays({ protocol, protocolChanges, cameBack, reassignedTo }: Evidence, verdict: Cause): string[] {
  const last = protocolChanges.at(-1)
  const tried = cameBack?.protocol ?? last?.to ?? protocol
  const changed =
    last === undefined || tried === protocol
      ? []
      : [
          `${cameBack === null ? 'Since then it is tried' : 'It came back'} over ${tried} in place of ${protocol}: ${last.why}`,
        ]
  // That cause has said so itself.
  const moved =
    reassignedTo === null || verdict.id === 'dps-reassigned'
      ? []
      : [`The provisioning service assigned the device anew in this time, to ${reassignedTo}.`]
  return [...changed, ...moved].map(sentence => (sentence.endsWith('.') ? sentence : `${sentence}.`))
}

function judgeByEnding(evidence: Evidence, since: readonly string[]): Diagnosis {
  const judged = judgeEnding(evidence)
  const { finding } = judged
  const { ending } = evidence
  const lastedMs = ending.kind === 'closed' ? ending.event.lastedMs : null
  const lasted = lastedMs === null ? [] : [`The session had lasted ${duration(lastedMs)}.`]
  const told = [
    ...finding.evidence,
    ...lasted,
    ...tellRhythm(ending, evidence),
    ...since,
    ...otherWays(evidence, judged.cause),
    ...tellSurroundings(evidence),
  ]
  return conclude({ ...judged, finding: { ...finding, evidence: told } }, evidence)
}

/** What was there before the attempts, as evidence beside what they say. */
function before(evidence: Evidence, winner: Cause): string[] {
  const { ending, carriedOver } = evidence
  const { cause, finding } = judgeEnding(evidence)
  const told = finding.evidence[0] ?? cause.title
  const earlier =
    carriedOver === null || carriedOver.cause === winner.id
      ? []
      : [`Before the restart this outage was judged ${carriedOver.cause} (${carriedOver.confidence}).`]
  switch (ending.kind) {
    case 'closed': {
      const lasted = ending.event.lastedMs === null ? '' : ` after ${duration(ending.event.lastedMs)}`
      const perhaps = finding.confidence === 'possible' ? ', perhaps' : ''
      return [`The session before had ended${lasted}${perhaps} by ${cause.id}: ${told}`]
    }
    case 'crash':
    case 'goodbye':
      return [told, ...earlier]
    case 'start':
      return ['There was no session before.']
  }
}

function carryOn(verdict: Verdict, evidence: Evidence, since: readonly string[]): Diagnosis {
  const cause = findCause(verdict.cause)
  // Another release may have written it: its words stand, and its cause need not be one of ours.
  if (cause === undefined) return { verdict, planned: false }
  return {
    verdict: {
      ...verdict,
      evidence: [...verdict.evidence, ...since],
      confidence: atMost(verdict.confidence, ceilingFor(cause, evidence.protocol)),
    },
    planned: cause.planned,
  }
}

function conclude({ cause, finding, protocol }: Judgement, evidence: Evidence): Diagnosis {
  const { device, portal } = cause.nextSteps
  const dialled = dialledIn(evidence)
  const steps = [...new Set([...(finding.firstSteps ?? []), ...device, ...portal])]
  return {
    verdict: {
      cause: cause.id,
      confidence: finding.confidence,
      title: cause.title,
      hubCodes: cause.hubCodes,
      evidence: withoutRepeats(finding.evidence),
      nextSteps: withPortal(steps, dialled).map(step => addressed(step, dialled)),
      docs: cause.docs.map(({ address }) => address),
      runnersUp: oneEach(finding.runnersUp.filter(runnerUp => runnerUp.cause !== cause.id)).map(runnerUp => ({
        ...runnerUp,
        confidence: atMostKnown(runnerUp, protocol),
        toDecide: addressed(runnerUp.toDecide, dialled),
      })),
    },
    planned: cause.planned,
  }
}

/** The same change may be told by a rule and among all that befell the host: then its distance is from another moment. */
function withoutRepeats(sentences: readonly string[]): string[] {
  const essence = (sentence: string): string => sentence.replace(/ \(seen [^)]*\)/, '')
  return sentences.filter((sentence, at) => sentences.findIndex(other => essence(other) === essence(sentence)) === at)
}

/** What was seen comes before what was only thought of, so the first mention of a cause is the better one. */
const oneEach = (runnersUp: readonly RunnerUp[]): RunnerUp[] =>
  runnersUp.filter(({ cause }, index) => runnersUp.findIndex(other => other.cause === cause) === index)

function atMostKnown({ cause: id, confidence }: RunnerUp, protocol: Protocol): Confidence {
  const cause = findCause(id)
  return cause === undefined ? confidence : atMost(confidence, ceilingFor(cause, protocol))
}
