/** What several checks look at: found out once, by whoever asks first. */
import { join } from 'node:path'
import { type Clock, systemClock } from '../../transports/clock.js'
import type { Credential, Identity } from '../../transports/identity.js'
import type { FindProxy } from '../../transports/proxy.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import type { Trust } from '../../transports/trust.js'
import type { Protocol } from '../../transports/wire-event.js'
import { assignmentStore } from '../assignment-store.js'
import type { Config } from '../config/config.js'
import { type ConfigSource, loadConfig, standardFile } from '../config/load.js'
import { askRunning } from '../control.js'
import { readSecrets } from '../credential-at-start.js'
import type { ProbeAnswer } from '../evidence/probe-answer.js'
import { createSystemLookup, type SystemLookup } from '../probes/names.js'
import type { Target } from '../probes/probe.js'
import { runProbes } from '../probes/run.js'
import { firstChoice } from '../protocols.js'
import { readSdkVersions, type SdkVersions } from '../sdk-versions.js'
import type { Status } from '../status.js'
import { targetOf } from '../wiring.js'

export type FactsOptions = Readonly<{
  /** Asked once. @throws AgentError with all that is wrong */
  config(): Promise<Configured>
  /** Of whoever tells what is found, so that what is read here is kept out of that too; else its own. */
  secrets?: Secrets
  /** Whether it is the recorder itself that asks. */
  isDaemon?: boolean
  env: NodeJS.ProcessEnv
  /** In place of the configured one. */
  protocol: Protocol | undefined
  /** Whether another client of the identity may be thrown out by a sign-in. */
  mayDisconnect: boolean
  signal: AbortSignal
  /** In place of the real ones. */
  clock?: Clock
  lookup?: SystemLookup
  procRoot?: string
  sysRoot?: string
  etcRoot?: string
  runRoot?: string
}>

/** `from`: where the configuration is from, in words; `file`: the one that has to be named to get it again, `null` for the standard one. */
export type Configured = Readonly<{ config: Config; from: string; file: string | null }>

/** As it lies on the disk. @throws AgentError */
export async function loaded(source: ConfigSource): Promise<Configured> {
  const { config, file } = await loadConfig(source)
  return { config, from: file ?? 'no file, so defaults and the environment', file: file === standardFile ? null : file }
}

export type Secret = Readonly<{ credential: Credential; trust: Trust; findProxy: FindProxy }>

export interface Facts {
  readonly options: FactsOptions
  readonly clock: Clock
  readonly secrets: Secrets
  readonly roots: Readonly<{ procRoot: string; sysRoot: string; etcRoot: string; runRoot: string }>
  readonly lookup: SystemLookup
  /** @throws AgentError */
  config(): Promise<Configured>
  /** @throws AgentError with all that is wrong */
  secret(): Promise<Secret>
  /** @throws IdentityError */
  identity(): Promise<Identity>
  /** The protocols that are to work, the first choice first. */
  protocols(): Promise<readonly Protocol[]>
  target(): Promise<Target>
  /** What the probes of an outage find, all of them. */
  probed(): Promise<readonly ProbeAnswer[]>
  /** The packages of the SDK that hubrec itself uses. */
  sdk(): SdkVersions
  /** What a daemon of this configuration answers; `null` where none runs. @throws where there is one, and it does not answer */
  ask(question: string): Promise<unknown>
  /** `null` where no daemon of this configuration runs. @throws where there is one, and it does not answer */
  daemon(): Promise<Status | null>
}

const every: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

export function createFacts(options: FactsOptions): Facts {
  const { signal, clock = systemClock(), lookup = createSystemLookup() } = options
  const { procRoot = '/proc', sysRoot = '/sys', etcRoot = '/etc', runRoot = '/run' } = options
  const { secrets = createSecrets() } = options
  const config = once(options.config)
  const secret = once(async () => {
    const { config: found } = await config()
    const kept = assignmentStore(join(found.stateDir, 'assignment.json'), () => undefined)
    // Who looks changes nothing.
    const store = { read: () => kept.read(), write: async () => undefined }
    return readSecrets(found, options.env, { secrets, clock, store })
  })
  const identity = once(async () => (await secret()).credential.identify({ signal, tell: () => undefined }))
  const protocols = once(async () => {
    if (options.protocol !== undefined) return [options.protocol]
    const { protocol } = (await config()).config.connection
    return protocol === 'auto' ? every : [protocol]
  })
  const target = once(async () => {
    const [{ config: found }, { trust, findProxy }, who, [spoken]] = await Promise.all([
      config(),
      secret(),
      identity(),
      protocols(),
    ])
    const proxy = findProxy(who.host, found.connection.ports.https)
    return targetOf(found, who, spoken ?? firstChoice(found.connection.protocol), { trust, proxy })
  })
  const probed = once(async () => {
    const [{ config: found }, where] = await Promise.all([config(), target()])
    return runProbes({
      target: where,
      settings: found.probes,
      signal,
      lookup,
      clock,
      procRoot,
      etcRoot,
      runRoot,
      onMistake: (_, error) => {
        throw error
      },
    })
  })
  const ask = async (question: string): Promise<unknown> => {
    const { controlSocket, stateDir } = (await config()).config
    return askRunning({ socket: controlSocket, stateDir }, question)
  }
  const daemon = once(async () => (await ask('status')) as Status | null)
  return {
    options,
    clock,
    secrets,
    roots: { procRoot, sysRoot, etcRoot, runRoot },
    lookup,
    config,
    secret,
    identity,
    protocols,
    target,
    probed,
    sdk: () => readSdkVersions(import.meta.url),
    ask,
    daemon,
  }
}

function once<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | null = null
  return () => {
    found ??= find()
    return found
  }
}
