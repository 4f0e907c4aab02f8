/** What may be a lasting condition of this device. To add one, write its check and name it in the list. */

import type { FoundCondition } from './conditions.js'
import { type CredentialState, credentialConditions } from './credential-watch.js'
import { isPlausible } from './release.js'
import type { RingState } from './ring/ring.js'
import { type SdkVersions, sdkFindings } from './sdk-versions.js'
import type { Raised } from './verbosity.js'

export type ConditionFacts = Readonly<{
  nowMs: number
  /** Since this run began. */
  upMs: number
  ring: RingState
  credential: CredentialState
  /** Whether the host says that its clock is synchronised; `null` where it does not say. */
  synchronised: boolean | null
  verbosity: Raised | null
  sdk: SdkVersions
  /** Those that are connected and have said what they load. */
  applications: readonly Readonly<{ name: string; sdk: SdkVersions | null }>[]
}>

type Check = (facts: ConditionFacts) => readonly FoundCondition[]

/** A host that has just booted takes its time to find a server. */
const synchronisedWithinMs = 10 * 60_000

const ringInMemory: Check = ({ ring }) =>
  ring.mode === 'memory'
    ? [
        {
          code: 'ring-in-memory',
          severity: 'error',
          text: `the disk refuses (${ring.refusal ?? 'unknown error'}): records are kept in memory, ${ring.lostUnsaid} are lost so far`,
          dependsOn: [],
        },
      ]
    : []

const ringWritesGrouped: Check = ({ ring }) =>
  ring.writesAreGrouped
    ? [
        {
          code: 'ring-writes-grouped',
          severity: 'warning',
          text: `${Math.round(ring.writtenDayBytes / 1e6)} MB were written in a day, more than flash should bear: records reach the disk up to a minute later`,
          dependsOn: ['ring-in-memory'],
        },
      ]
    : []

const clockImpossible: Check = ({ nowMs }) =>
  isPlausible(nowMs)
    ? []
    : [
        {
          code: 'clock-impossible',
          severity: 'error',
          text: `the clock reads ${new Date(nowMs).toISOString()}, which cannot be true: certificates and tokens fail by it`,
          dependsOn: [],
        },
      ]

const clockUnsynchronised: Check = ({ synchronised, upMs }) =>
  synchronised === false && upMs >= synchronisedWithinMs
    ? [
        {
          code: 'clock-unsynchronised',
          severity: 'warning',
          text: 'the clock is not synchronised: check that a time server can be reached (UDP port 123)',
          dependsOn: [],
        },
      ]
    : []

const credential: Check = ({ credential, nowMs }) => credentialConditions(credential, nowMs)

const sdkOutdated: Check = ({ sdk, applications }) => {
  const findings = new Set([
    ...sdkFindings(sdk),
    ...applications.flatMap(app => (app.sdk === null ? [] : sdkFindings(app.sdk).map(each => `${app.name}: ${each}`))),
  ])
  return findings.size === 0
    ? []
    : [{ code: 'sdk-outdated', severity: 'warning', text: [...findings].join('; '), dependsOn: [] }]
}

const verbosityRaised: Check = ({ verbosity }) =>
  verbosity === null
    ? []
    : [
        {
          code: 'verbosity-raised',
          severity: 'warning',
          text: `verbose records go into the ring until ${verbosity.until}, as ${verbosity.by} asked: older ones leave it sooner`,
          since: verbosity.since,
          dependsOn: [],
        },
      ]

const checks: readonly Check[] = [
  ringInMemory,
  ringWritesGrouped,
  clockImpossible,
  clockUnsynchronised,
  credential,
  sdkOutdated,
  verbosityRaised,
]

export const conditionsIn = (facts: ConditionFacts): readonly FoundCondition[] => checks.flatMap(check => check(facts))
