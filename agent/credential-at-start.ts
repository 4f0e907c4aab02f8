/** What the configuration points to, read before anything begins: the credential, whom to trust, and the way out. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../transports/clock.js'
import { type Credential, CredentialError, loadCredential } from '../transports/credentials.js'
import type { AssignmentStore, Provisioned } from '../transports/provisioned.js'
import { createFindProxy, type FindProxy, ProxyError } from '../transports/proxy.js'
import type { Secrets } from '../transports/secrets.js'
import { createTrust, type Trust } from '../transports/trust.js'
import type { Config } from './config/config.js'
import { AgentError } from './errors.js'
import { provisioningRoads } from './protocols.js'
import { timeoutsOf } from './wiring.js'

/** @throws AgentError `CREDENTIAL_INVALID` with all that is wrong, at once */
export async function readSecrets(
  { connection }: Config,
  env: NodeJS.ProcessEnv,
  { secrets, clock, store }: Readonly<{ secrets: Secrets; clock: Clock; store: AssignmentStore }>,
): Promise<{ credential: Credential; trust: Trust; findProxy: FindProxy }> {
  const problems: string[] = []
  let trust: Trust | null = null
  let findProxy: FindProxy = () => null
  const timeoutsMs = timeoutsOf(connection)
  const roads: Provisioned['roads'] = () => {
    if (trust === null) throw new Error('nobody is asked before it is known whom to trust')
    const around = { trust, clock, secrets, timeoutsMs }
    const [first, ...others] = provisioningRoads(connection, findProxy)
    return [{ ...first, ...around }, ...others.map(road => ({ ...road, ...around }))]
  }
  const read = async (place: string, file: string | null): Promise<string | null> => {
    if (file === null) return null
    return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      problems.push(`${place}: ${file} cannot be read: ${error.code}`)
      return null
    })
  }
  const [ca, knownRoots, proxyCredentials, credential] = await Promise.all([
    read('connection.caFile', connection.caFile),
    read('connection.knownRootsFile', connection.knownRootsFile),
    read('connection.proxyCredentialsFile', connection.proxyCredentialsFile),
    loadCredential({ settings: connection, env, provisioning: { store, roads } }, secrets).catch((error: unknown) => {
      if (!(error instanceof CredentialError)) throw error
      problems.push(...error.problems)
      return null
    }),
  ])
  try {
    findProxy = createFindProxy({ url: connection.proxy, credentials: proxyCredentials, env }, secrets)
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    problems.push(...error.problems)
  }
  try {
    trust = createTrust(ca, knownRoots)
    if (credential !== null && problems.length === 0) return { credential, trust, findProxy }
  } catch (error) {
    problems.push(`connection.caFile or connection.knownRootsFile: ${(error as Error).message}`)
  }
  throw new AgentError('CREDENTIAL_INVALID', 'the credential or what it needs cannot be used', problems)
}
