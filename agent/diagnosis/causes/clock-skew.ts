/** The clock of this device is wrong. */
import type { Evidence } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { earlyCodes, failedAsEarly, failedAsExpired } from '../chain.js'
import { pages } from '../pages.js'
import { aheadOfServers, farApartMs } from '../probe-facts.js'
import { type Refusal, refusedCredential, saysExpired } from '../sign-in.js'
import { certificateOf, closeOfAttempt, findCode } from '../wire-facts.js'
import { certificateText, clockText, duration, errorText } from '../words.js'

const badCertificate: RunnerUp = maybe(
  'server-certificate-invalid',
  'Compare `date -u` with a watch. If the clock is right, the certificate of the server is not.',
)
const wrongKey: RunnerUp = maybe(
  'wrong-key',
  'Set the clock and try again. If it is still refused, it is the credential.',
)

/** IoT Hub lets a token be a little late. */
const tokenToleranceMs = 300_000
/** As it is by default; a shorter one has ended all the more. */
const tokenLifeMs = 3_600_000

/** Anybody on the way can write that header: it makes nothing certain, and the host's own word that its clock is set weighs more. */
const suspected = (evidence: Evidence): ReturnType<typeof aheadOfServers> =>
  evidence.clock.synchronised === true ? null : aheadOfServers(evidence)

const tellApart = ({ host, aheadMs }: Readonly<{ host: string; aheadMs: number }>): string =>
  `By the clock of ${host}, that of this device is ${duration(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead'}.`

/** Certificates hold or not by the clock of who looks at them, and that is the hub; but tokens are dated by this device. */
function judgeToken({ sentence, said, credential }: Refusal, evidence: Evidence): Finding | null {
  if (credential?.kind === 'x509') return null
  const { clock } = evidence
  if (!clock.plausible) {
    return { confidence: 'likely', evidence: [sentence, clockText(evidence)], runnersUp: [wrongKey] }
  }
  const behind = suspected(evidence)
  if (behind !== null && behind.aheadMs < -tokenToleranceMs && credential?.kind !== 'sas') {
    return {
      confidence: behind.aheadMs < -tokenLifeMs ? 'likely' : 'possible',
      evidence: [sentence, tellApart(behind), clockText(evidence)],
      runnersUp: [wrongKey],
    }
  }
  // A token that was made a moment ago and has ended already was made by a clock that is behind.
  if (!saysExpired(said) || (credential?.kind !== 'key' && credential?.kind !== 'edge')) return null
  return {
    confidence: clock.synchronised === true ? 'possible' : 'likely',
    evidence: [
      sentence,
      'This device makes a new token for each attempt, so one that has already ended was made by a clock that is behind.',
      clockText(evidence),
    ],
    runnersUp: [wrongKey],
  }
}

export const clockSkew: Cause = {
  id: 'clock-skew',
  family: 'credential',
  title: 'The clock of this device is wrong',
  hubCodes: ['401003'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Certificates are "not yet valid" or "expired", or the hub refuses the credential (CONNACK 5, put-token 401), while the clock reads an impossible time or is not synchronised.',
    hub: 'A token that has expired before it arrived, or a client that breaks off the handshake.',
    log: '401003 when the token was refused; nothing when the handshake failed.',
  },
  meaning:
    'Certificates and SAS tokens hold only between two dates, and this device judges and makes them by its own clock. More than five minutes of error are enough. Devices without a battery for the clock start in the past after every power cut.',
  tells: {
    raises: 'The year is impossible, the clock was stepped lately, or it was never synchronised.',
    rulesOut: 'The host says that its clock is synchronised.',
  },
  nextSteps: {
    device: [
      'Run `date -u` and compare it with a watch.',
      'Run `timedatectl` and check that the clock is synchronised; if not, `timedatectl set-ntp true` and check that UDP port 123 is open.',
      'If it starts wrong after every power cut, replace the battery of the clock, or let the service start after time-sync.target.',
    ],
    portal: [
      'In the portal, look for other devices that were refused (401003) after the same power cut: their clocks are wrong too.',
    ],
  },
  docs: [pages.errorCodes],

  fromAttempt(attempt, evidence) {
    const { clock } = evidence
    const refusal = refusedCredential(attempt)
    if (refusal !== null) return judgeToken(refusal, evidence)
    if (attempt.outcome === 'provisioning' && !clock.plausible && findCode(attempt.error, earlyCodes) !== undefined) {
      return {
        confidence: 'certain',
        evidence: [
          clockText(evidence),
          `Seen by that clock, the certificate of the provisioning service is not valid yet: ${errorText(attempt.error)}.`,
        ],
        runnersUp: [],
      }
    }
    if (attempt.outcome === 'provisioning' && !clock.plausible && attempt.error?.code?.startsWith('401')) {
      return {
        confidence: 'likely',
        evidence: [
          `The provisioning service refused the credential: ${errorText(attempt.error)}.`,
          clockText(evidence),
        ],
        runnersUp: [maybe('dps-failure', 'Set the clock and try again. If it is still refused, it is the enrollment.')],
      }
    }
    const close = closeOfAttempt(attempt)
    if (close === null) return null
    const early = failedAsEarly(close) !== undefined
    if (!early && failedAsExpired(close) === undefined) return null
    const found = (confidence: Finding['confidence'], runnersUp: readonly RunnerUp[]): Finding => ({
      confidence,
      evidence: [
        clockText(evidence),
        `Seen by that clock, the certificate of the server ${early ? 'is not valid yet' : 'has expired'}: ${errorText(close.error)}.`,
        certificateText(certificateOf(attempt)),
      ],
      runnersUp,
    })
    if (!clock.plausible) return found('certain', [])
    const apart = suspected(evidence)
    if (apart !== null && (early ? -apart.aheadMs : apart.aheadMs) > farApartMs) {
      const { evidence: seen, ...rest } = found('likely', [badCertificate])
      return { ...rest, evidence: [tellApart(apart), ...seen] }
    }
    // An expired certificate under a plausible clock is the server's fault: see `server-certificate-invalid`.
    if (!early || clock.synchronised === true) return null
    return found(clock.synchronised === false ? 'likely' : 'possible', [badCertificate])
  },
}
