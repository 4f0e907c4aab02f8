/** A device that a provisioning service has assigned to a hub: the assignment is kept, and asked for again when it fails. */
import { randomUUID } from 'node:crypto'
import type { Address } from './connection-string.js'
import { readAddress, readIdentifier } from './connection-string.js'
import { flatten } from './failure.js'
import {
  type Asking,
  type Credential,
  certificateIdentity,
  fingerprintOf,
  type Identity,
  IdentityError,
  keyIdentity,
  type Name,
} from './identity.js'
import { type Assigned, type Enrolment, ProvisioningError, type ProvisioningRoad, register } from './provisioning.js'
import type { Failure } from './wire-event.js'

/** What was assigned, and to whom. */
export type Assignment = Assigned & Pick<Enrolment, 'endpoint' | 'idScope' | 'registrationId'>

/** Where the assignment is kept over restarts. Neither may reject; what cannot be written is asked for again. */
export interface AssignmentStore {
  read(): Promise<unknown>
  write(assignment: Assignment): Promise<void>
}

/** The hub's refusals are asked about at once; a device that merely does not get through is not moved so often. */
const failuresMax = 10

type Roads = readonly [ProvisioningRoad, ...ProvisioningRoad[]]

export type Proof = Readonly<{
  proof: Enrolment['proof']
  expiresAt: string | null
  warnings: readonly string[]
}>

export type Provisioned = Readonly<{
  enrolment: Omit<Enrolment, 'proof'>
  /** Reads the key or the certificate anew. @throws CredentialError */
  prove(): Promise<Proof>
  store: AssignmentStore
  /** The first choice first; another is tried where the network keeps us from the service. */
  roads: () => Roads
  /** In place of the service, for tests. */
  ask?: typeof register
}>

/** @param first what was read at start */
export async function provisionedCredential(
  { enrolment, prove, store, roads, ask = register }: Provisioned,
  first: Proof,
): Promise<Credential> {
  const { registrationId, idScope, endpoint } = enrolment
  let assignment = checkAssignment(await store.read(), enrolment)
  let lastProof = first
  let askAgain = assignment === null
  let failures = 0
  let notBeforeMs = 0
  /** Which of the roads led to the service last. */
  let passable = 0

  const identityFrom = ({ proof, expiresAt, warnings }: Proof, { hub, deviceId }: Assigned): Identity => {
    const name: Name = { hub: hubAddress(hub), gateway: null, deviceId, moduleId: null }
    return 'key' in proof
      ? keyIdentity(name, proof.key)
      : certificateIdentity(name, proof.certificate, expiresAt ?? '', warnings)
  }

  const askOverAny = async (
    proof: Proof['proof'],
    signal: AbortSignal,
  ): Promise<Readonly<{ found: Assigned; unreached: Failure | null }>> => {
    const all = roads()
    let unreached: ProvisioningError | null = null
    for (const nth of [passable, ...all.keys()].filter(
      (each, at) => each < all.length && (at === 0 || each !== passable),
    )) {
      try {
        const found = await ask({ ...enrolment, proof }, all[nth] ?? all[0], signal)
        passable = nth
        return { found, unreached: unreached?.failure ?? null }
      } catch (error) {
        if (!(error instanceof ProvisioningError)) throw error
        // What the service says is worth more than what the first road met.
        if (error.wasReached) passable = nth
        if (error.wasReached || signal.aborted) throw error
        unreached ??= error
      }
    }
    throw unreached ?? new Error('there is no road')
  }

  /** @throws IdentityError when there is none, old or new */
  const assigned = async ({ proof }: Proof, { signal, tell }: Asking): Promise<Assigned> => {
    const [{ clock }] = roads()
    const { monoMs } = clock.now()
    if (assignment !== null && (!askAgain || monoMs < notBeforeMs)) return assignment
    const id = randomUUID()
    tell({ type: 'provisioningStarted', id, scopeId: idScope, registrationId })
    const before = assignment
    let answer: Awaited<ReturnType<typeof askOverAny>>
    try {
      answer = await askOverAny(proof, signal)
    } catch (error) {
      const { retryAfterMs, failure } = error instanceof IdentityError ? error : { retryAfterMs: 0, failure: null }
      tell({ type: 'provisioningDone', id, ok: false, hub: null, reassigned: false, error: failure ?? flatten(error) })
      notBeforeMs = clock.now().monoMs + retryAfterMs
      // An old assignment may be good again before the service is.
      if (before === null || signal.aborted) throw error
      askAgain = false
      failures = 0
      return before
    }
    const { found, unreached } = answer
    const moved = before !== null && (before.hub !== found.hub || before.deviceId !== found.deviceId)
    tell({
      type: 'provisioningDone',
      id,
      ok: true,
      hub: found.hub,
      reassigned: moved,
      error: null,
      ...(unreached ? { unreached } : {}),
    })
    assignment = { ...found, endpoint, idScope, registrationId }
    askAgain = false
    failures = 0
    await store.write(assignment)
    return assignment
  }

  return {
    claims: {
      kind: 'key' in first.proof ? 'key' : 'x509',
      hub: assignment?.hub ?? null,
      deviceId: assignment?.deviceId ?? registrationId,
      moduleId: null,
      fingerprint:
        assignment === null ? fingerprintOf(idScope, registrationId) : identityFrom(first, assignment).fingerprint,
    },

    async identify(asking) {
      try {
        lastProof = await prove()
      } catch (error) {
        if (!(error instanceof Error)) throw error
        lastProof = { ...lastProof, warnings: [error.message] }
      }
      return identityFrom(lastProof, await assigned(lastProof, asking))
    },

    async hasNewer(identity) {
      const now = await prove().catch(() => null)
      if (now === null || assignment === null || identity.renewal === 'ours') return false
      return now.warnings.length === 0 && identityFrom(now, assignment).fingerprint !== identity.fingerprint
    },

    met(outcome) {
      failures = outcome === 'accepted' ? 0 : failures + 1
      if (outcome === 'accepted') askAgain = false
      else if (outcome === 'refused' || failures >= failuresMax) askAgain = true
    },
  }
}

const hubAddress = (hub: string): Address => readAddress('hub', hub, true, []) ?? { text: hub, host: hub, port: null }

/** What was kept may be of another registration, or be damaged. */
function checkAssignment(kept: unknown, enrolment: Omit<Enrolment, 'proof'>): Assignment | null {
  const { hub, deviceId, ...of } = (kept ?? {}) as Partial<Record<string, unknown>>
  const { endpoint, idScope, registrationId } = enrolment
  if (of.endpoint !== endpoint || of.idScope !== idScope || of.registrationId !== registrationId) return null
  if (typeof hub !== 'string' || typeof deviceId !== 'string') return null
  const problems: string[] = []
  readAddress('hub', hub, true, problems)
  readIdentifier('deviceId', deviceId, true, problems)
  return problems.length > 0 ? null : { hub, deviceId, endpoint, idScope, registrationId }
}
