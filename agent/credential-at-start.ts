/** What the configuration points to, read before anything begins, and again for each incarnation: the credential, whom to trust, the way out. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../transports/clock.js'
import { type Credential, CredentialError, loadCredential } from '../transports/credentials.js'
import type { AssignmentStore, Provisioned } from '../transports/provisioned.js'
import { createFindProxy, type FindProxy, ProxyError } from '../transports/proxy.js'
import type { Secrets } from '../transports/secrets.js'
import { createLivingTrust, type LivingTrust, type Trust } from '../transports/trust.js'
import type { Config } from './config/config.js'
import { AgentError } from './errors.js'
import { provisioningRoads } from './protocols.js'
import { timeoutsOf } from './wiring.js'

export type AtStart = Readonly<{
  /** Whoever asks it who we are has the files read again, too. */
  credential: Credential
  /** These two follow what was read last. */
  trust: Trust
  findProxy: FindProxy
  /** Reads the files again; what cannot be used is left as it was, and told. @returns a line for each problem */
  renew(): Promise<readonly string[]>
}>

/** @throws AgentError `CREDENTIAL_INVALID` with all that is wrong, at once */
export async function readSecrets(
  { connection }: Config,
  env: NodeJS.ProcessEnv,
  { secrets, clock, store }: Readonly<{ secrets: Secrets; clock: Clock; store: AssignmentStore }>,
): Promise<AtStart> {
  let living: LivingTrust | null = null
  let wayOut: FindProxy = () => null
  const findProxy: FindProxy = (host, port) => wayOut(host, port)
  const timeoutsMs = timeoutsOf(connection)
  const roads: Provisioned['roads'] = () => {
    if (living === null) throw new Error('nobody is asked before it is known whom to trust')
    const around = { trust: living.trust, clock, secrets, timeoutsMs }
    const [first, ...others] = provisioningRoads(connection, findProxy)
    return [{ ...first, ...around }, ...others.map(road => ({ ...road, ...around }))]
  }
  /** Takes each file that can be used, and leaves what was where it cannot. */
  const renew = async (): Promise<string[]> => {
    const problems: string[] = []
    const read = async (place: string, file: string | null): Promise<string | null> => {
      if (file === null) return null
      return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        problems.push(`${place}: ${file} cannot be read: ${error.code}`)
        return null
      })
    }
    const [ca, knownRoots, proxyCredentials] = await Promise.all([
      read('connection.caFile', connection.caFile),
      read('connection.knownRootsFile', connection.knownRootsFile),
      read('connection.proxyCredentialsFile', connection.proxyCredentialsFile),
    ])
    const isRead = (name: string): boolean => !problems.some(problem => problem.startsWith(`connection.${name}:`))
    if (isRead('proxyCredentialsFile')) {
      try {
        wayOut = createFindProxy({ url: connection.proxy, credentials: proxyCredentials, env }, secrets)
      } catch (error) {
        if (!(error instanceof ProxyError)) throw error
        problems.push(...error.problems)
      }
    }
    if (isRead('caFile') && isRead('knownRootsFile')) {
      try {
        if (living === null) living = createLivingTrust(ca, knownRoots)
        else living.renew(ca, knownRoots)
      } catch (error) {
        problems.push(`${filesOf(connection)}: ${(error as Error).message}`)
      }
    }
    return problems
  }
  const [inFiles, credential] = await Promise.all([
    renew(),
    loadCredential({ settings: connection, env, provisioning: { store, roads } }, secrets).catch((error: unknown) => {
      if (!(error instanceof CredentialError)) throw error
      return error
    }),
  ])
  const isLoaded = !(credential instanceof CredentialError)
  // Its own name, because who asks it is in a function, where it might have changed.
  const trusted = living as LivingTrust | null
  if (isLoaded && trusted !== null && inFiles.length === 0) {
    return { credential: renewing(credential, renew), trust: trusted.trust, findProxy, renew }
  }
  const problems = [...inFiles, ...(isLoaded ? [] : credential.problems)]
  throw new AgentError('CREDENTIAL_INVALID', 'the credential or what it needs cannot be used', problems)
}

/** What cannot be read any more is a doubt about the identity, which goes on with what it had. */
const renewing = (credential: Credential, renew: AtStart['renew']): Credential => ({
  ...credential,
  async identify(asking) {
    const problems = await renew()
    const identity = await credential.identify(asking)
    return problems.length === 0 ? identity : { ...identity, warnings: [...problems, ...identity.warnings] }
  },
})

const filesOf = ({ caFile, knownRootsFile }: Config['connection']): string =>
  [
    ...(caFile === null ? [] : [`connection.caFile: ${caFile}`]),
    ...(knownRootsFile === null ? [] : [`connection.knownRootsFile: ${knownRootsFile}`]),
  ].join(' or ')
