/** Every kind of trouble that a connection to the local hub can meet, made to begin and to end. */

import { Resolver } from 'node:dns/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CredentialSettings, loadCredential } from '../../transports/credentials.js'
import type { Credential } from '../../transports/identity.js'
import { createFindProxy } from '../../transports/proxy.js'
import { createSecrets } from '../../transports/secrets.js'
import type { Lookup } from '../../transports/socket-tap.js'
import type { Protocol } from '../../transports/wire-event.js'
import type { KeyPair } from '../hub/certificates.js'
import { makeSelfSigned, thumbprintOf } from '../hub/client-certificates.js'
import { type ProxyFault, startProxy } from '../hub/http-proxy.js'
import { type Door, type Fault, type Hub, startHub } from '../hub/hub.js'
import { type NameMode, startNameServer } from '../hub/name-server.js'
import { tapClient } from './tapped-client.js'
import type { WatchOptions } from './watched-connection.js'

export type Trouble = Readonly<
  /** `impatient`: at a hub that soon closes what it does not hear. */
  | { by: 'door'; fault: Fault; impatient?: true }
  | { by: 'proxy'; fault: ProxyFault }
  /** The proxy ends the tunnels that are open. */
  | { by: 'proxyCut'; how: 'fin' | 'rst' }
  | { by: 'cut'; how: 'fin' | 'rst' }
  | { by: 'names'; mode: Exclude<NameMode, 'answer'> }
  | { by: 'registry'; what: CredentialTrouble }
  /** A second client of the same identity. */
  | { by: 'rival' }
  | { by: 'nobody' }
>

/** What can become of a credential, each healed as somebody in charge would do it. */
export type CredentialTrouble =
  | 'disabled'
  | 'deleted'
  | 'regenerated key'
  | 'expired token'
  | 'certificate refused'
  | 'root missing'

/** A device of its own, with all that it needs for its trouble. */
export interface Scene {
  readonly hub: Hub
  readonly deviceId: string
  readonly door: Door
  readonly options: Pick<WatchOptions, 'connectionString' | 'ca'> & Partial<WatchOptions>
  begin(): Promise<void>
  heal(): Promise<void>
  close(): Promise<void>
}

type Dressing = Readonly<{
  options?: Partial<WatchOptions>
  begin(): Promise<void> | void
  heal(): Promise<void> | void
  close?(): Promise<void> | void
}>

export class Troubles implements AsyncDisposable {
  readonly #dir = mkdtemp(join(tmpdir(), 'troubles-'))
  /** One whose name has to be looked up. */
  #named: Promise<Hub> | null = null
  #impatient: Promise<Hub> | null = null
  #devices = 0

  private constructor(private readonly hub: Hub) {}

  static async start(): Promise<Troubles> {
    return new Troubles(await startHub())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hub of [this.hub, this.#named, this.#impatient]) await (await hub)?.close()
    await rm(await this.#dir, { recursive: true, force: true })
  }

  async scene(trouble: Trouble, protocol: Protocol): Promise<Scene> {
    const hub = await this.#hubFor(trouble)
    const deviceId = `gateway-${++this.#devices}`
    const needsCertificate = trouble.by === 'registry' && trouble.what === 'certificate refused'
    const door = await hub.addDevice(deviceId, needsCertificate ? { x509: 'ca' } : {})
    const { options = {}, begin, heal, close } = await this.#dress({ trouble, protocol, hub, deviceId, door })
    return {
      hub,
      deviceId,
      door,
      options: {
        connectionString: hub.connectionString(deviceId),
        ca: hub.ca,
        knownRoots: hub.ca,
        protocol,
        ...options,
      },
      begin: async () => begin(),
      heal: async () => heal(),
      close: async () => close?.(),
    }
  }

  #hubFor(trouble: Trouble): Promise<Hub> | Hub {
    if (trouble.by === 'names') {
      this.#named ??= startHub({ hostName: 'fabrikam.azure-devices.net' })
      return this.#named
    }
    if (trouble.by === 'door' && trouble.impatient) {
      this.#impatient ??= startHub({ amqpIdleTimeOutMs: 4_000 })
      return this.#impatient
    }
    return this.hub
  }

  async #dress({ trouble, protocol, hub, deviceId, door }: Bare): Promise<Dressing> {
    switch (trouble.by) {
      case 'door':
        return { begin: () => door.set(trouble.fault), heal: () => door.heal() }
      case 'cut':
        return { begin: () => door.cut(trouble.how), heal: () => undefined }
      case 'proxy':
      case 'proxyCut': {
        const proxy = await startProxy({ ca: hub.ca })
        const found = createFindProxy({ url: proxy.url, credentials: null, env: {} }, createSecrets())('hub', 443)
        return {
          options: { proxy: found! },
          begin: () => (trouble.by === 'proxy' ? proxy.set(trouble.fault) : proxy.cut(trouble.how)),
          heal: () => proxy.heal(),
          close: () => proxy.close(),
        }
      }
      case 'names': {
        const names = await startNameServer()
        return {
          options: { lookup: lookupBy(names.address, trouble.mode === 'silence' ? 500 : 5_000) },
          begin: () => names.set(trouble.mode),
          heal: () => names.set('answer'),
          close: () => names.close(),
        }
      }
      case 'rival': {
        const connectionString = hub.connectionString(deviceId)
        let leave = (): void => undefined
        return {
          begin: async () => {
            const rival = tapClient({ connectionString, ca: hub.ca, protocol })
            leave = () => rival.tap.abandon('abandoned')
            await rival.client.open()
            rival.tap.enableMethods()
          },
          heal: () => leave(),
        }
      }
      case 'nobody':
        return { begin: () => undefined, heal: () => undefined }
      case 'registry':
        return this.#dressCredential(trouble.what, { hub, deviceId })
    }
  }

  async #dressCredential(
    what: CredentialTrouble,
    { hub, deviceId }: Pick<Bare, 'hub' | 'deviceId'>,
  ): Promise<Dressing> {
    switch (what) {
      case 'root missing':
        // There is no way to take a root away from a process that has it, and none to give it one.
        return { options: { ca: null }, begin: () => undefined, heal: () => undefined }
      case 'disabled':
        return { begin: () => hub.disableDevice(deviceId), heal: () => hub.enableDevice(deviceId) }
      case 'deleted': {
        const [, key = ''] = /SharedAccessKey=(.*)$/.exec(hub.connectionString(deviceId)) ?? []
        return {
          begin: () => hub.deleteDevice(deviceId),
          heal: async () => void (await hub.addDevice(deviceId, { key })),
        }
      }
      case 'regenerated key': {
        const file = await this.#file(deviceId, hub.connectionString(deviceId))
        return {
          options: { credential: await load({ connectionStringFile: file }) },
          begin: () => hub.regenerateKey({ deviceId }),
          heal: () => writeFile(file, hub.connectionString(deviceId)),
        }
      }
      case 'expired token': {
        const withToken = (expiresInSeconds: number): string =>
          hub
            .connectionString(deviceId)
            .replace(/SharedAccessKey=.*/, `SharedAccessSignature=${hub.sasToken({ deviceId }, { expiresInSeconds })}`)
        const file = await this.#file(deviceId, withToken(600))
        return {
          options: { credential: await load({ connectionStringFile: file }) },
          // Old enough that no clock is to blame.
          begin: () => writeFile(file, withToken(-900)),
          heal: () => writeFile(file, withToken(3_600)),
        }
      }
      case 'certificate refused': {
        const pair = await hub.issueClientCertificate(deviceId)
        const x509 = await this.#pair(deviceId, pair)
        const connectionStringFile = await this.#file(deviceId, hub.connectionString(deviceId))
        const stranger = thumbprintOf(await makeSelfSigned(deviceId))
        return {
          options: { credential: await load({ connectionStringFile, x509 }) },
          begin: () => hub.setCertificateRule({ deviceId }, { thumbprints: [stranger] }),
          heal: () => hub.setCertificateRule({ deviceId }, 'ca'),
        }
      }
    }
  }

  async #file(name: string, text: string): Promise<string> {
    const path = join(await this.#dir, name)
    await writeFile(path, text)
    return path
  }

  async #pair(name: string, { cert, key }: KeyPair) {
    return {
      certFile: await this.#file(`${name}.pem`, cert),
      keyFile: await this.#file(`${name}-key.pem`, key),
      passphraseFile: null,
    }
  }
}

type Bare = Readonly<{ trouble: Trouble; protocol: Protocol; hub: Hub; deviceId: string; door: Door }>

const load = (settings: Partial<CredentialSettings>): Promise<Credential> =>
  loadCredential(
    { settings: { connectionStringFile: null, x509: null, sasTokenFile: null, dps: null, ...settings }, env: {} },
    createSecrets(),
  )

/** Asks the name server over real UDP, with the errors that getaddrinfo makes of its answers. */
function lookupBy(address: string, timeoutMs: number): Lookup {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
  resolver.setServers([address])
  return (host, callback) => {
    resolver.resolve4(host).then(
      addresses =>
        callback(
          null,
          addresses.map(address => ({ address, family: 4 })),
        ),
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}
