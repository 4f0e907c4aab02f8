/** A local Azure IoT Hub, for tests, demonstrations and whoever else needs one: see docs/local-hub.md. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AmqpFront } from './amqp-front.js'
import { type BlobProperties, BlobStore } from './blob-store.js'
import { type KeyPair, makeAuthority } from './certificates.js'
import type { CertificateRule } from './client-certificates.js'
import { DeviceDoor, type Door } from './door.js'
import { type Dps, type DpsAssignment, startDps } from './dps.js'
import { EventLog, type HubEvent, type Identity } from './events.js'
import { type BlobFault, Faults } from './faults.js'
import { HttpsFront, parsePayload } from './https-front.js'
import { Identities, makeKey, type Registered, type Secret } from './identities.js'
import { Listeners } from './listeners.js'
import type { CloudMessage } from './messages.js'
import { Methods } from './methods.js'
import { MqttFront } from './mqtt-front.js'
import { Protocols } from './protocols.js'
import { signSas } from './sas.js'
import { Sessions } from './sessions.js'
import { resourceOf } from './sign-in.js'
import { type Upload, Uploads } from './uploads.js'
import { WebSocketFront, type WebSocketFrontOptions } from './websocket-front.js'

export type { Door } from './door.js'
export type { HubEvent, Identity, SessionEnd } from './events.js'
export type { BlobFault, Direction, Fault } from './faults.js'
export { HubError } from './hub-error.js'
export type { Upload } from './uploads.js'

export type HubOptions = Readonly<{
  /** For the CA file and Azurite's data. By default a new temporary directory, which `close()` removes. */
  dir?: string
  /** What clients call the hub; certificates, user names and signatures carry it. Everything listens on 127.0.0.1. */
  hostName?: string
  /** After how long without a frame an AMQP connection is closed, as the hub announces it. Like IoT Hub's 240 s. */
  amqpIdleTimeOutMs?: number
}>

export interface Hub extends AsyncDisposable {
  readonly hostName: string
  /** PEM text of the authority that was made at start. */
  readonly ca: string
  readonly caFile: string
  readonly ports: Readonly<{ https: number; blob: number }>
  readonly serviceConnectionString: string

  /**
   * Registers a device and its modules, and opens the device's door; one that was deleted gets its old door. By default
   * each has a key of its own; with `x509` they sign in by certificate, with `key` all by that one.
   */
  addDevice(deviceId: string, options?: { moduleIds?: readonly string[] } & Secret): Promise<Door>
  /** By the authority that `x509: 'ca'` means. `days`: when it begins and ends, from now. */
  issueClientCertificate(commonName: string, days?: readonly [from: number, to: number]): Promise<KeyPair>
  /** Who signs in by certificate is from now on known by these thumbprints, or by the authority. */
  setCertificateRule(identity: Identity, rule: CertificateRule): void
  door(deviceId: string): Door
  /**
   * `HostName=<hostName>:<door port>;DeviceId=...;[ModuleId=...;]SharedAccessKey=...`, for which `hostName` has to
   * resolve; with `gateway` `HostName=<hostName>;GatewayHostName=localhost:<door port>;...`, for which it need not;
   * with `port: false` without the door's port, for WebSockets, whose port the stock SDK adds itself.
   */
  connectionString(deviceId: string, moduleId?: string, options?: { gateway?: boolean; port?: boolean }): string
  /** A provisioning service beside the hub, with the same authority; the hub closes it. */
  startDps(): Promise<Dps>
  /** Where the service is to send a device. */
  assignment(deviceId: string): DpsAssignment
  /**
   * Takes every request to the hub's HTTPS port, whatever host and port it is meant for, and trusts the authority. For
   * the stock SDKs, which know no other port than 443. Destroy it when done.
   */
  agent(): Agent
  /** The same to a device's door, where WebSockets are beside HTTPS. */
  doorAgent(deviceId: string): Agent
  /** A token of the identity's own key, or of another one. `expiresInSeconds` may be negative; 3600 by default. */
  sasToken(identity: Identity, options?: { expiresInSeconds?: number; key?: string }): string

  /** New CONNECTs get 5, and open sessions of the device and its modules end. */
  disableDevice(deviceId: string): void
  enableDevice(deviceId: string): void
  /** Removes the device and its modules; open sessions end, and its door stays, so that it meets CONNACK 5. */
  deleteDevice(deviceId: string): Promise<void>
  /** The old key is refused from now on; open sessions stay until their token expires. */
  regenerateKey(identity: Identity): void

  /**
   * A direct method as through the service API, without HTTP. An answer that is not JSON comes as text.
   *
   * @throws HubError 404001 for an unknown identity, 404103 when nobody has subscribed, 504101 when no answer came in time (30 s by default)
   */
  invokeMethod(
    identity: Identity,
    call: { methodName: string; payload?: unknown; responseTimeoutInSeconds?: number },
  ): Promise<{ status: number; payload: unknown }>
  /** A method request with any bytes as its payload. @throws HubError as `invokeMethod` */
  invokeRaw(
    identity: Identity,
    methodName: string,
    payload: Buffer,
    timeoutMs?: number,
  ): Promise<{ status: number; payload: Buffer }>
  patchDesired(identity: Identity, patch: object): Promise<void>
  twin(identity: Identity): { desired: object; reported: object }
  /** The newest 1,000 messages that it has sent to the cloud. */
  messages(identity: Identity): readonly CloudMessage[]

  /** The newest 100,000 events, in order. */
  readonly log: readonly HubEvent[]
  /**
   * The first event that matches: one still to come, or, with `from`, also a past one whose `n` is at least `from`.
   *
   * @param options.timeoutMs 30 s by default
   * @throws Error when the time is over, with the newest events in its message
   */
  waitFor(match: (event: HubEvent) => boolean, options?: { from?: number; timeoutMs?: number }): Promise<HubEvent>

  readonly uploads: readonly Upload[]
  /** Read, create, write and list on a container of the blob store, for an hour. */
  containerSasUrl(container: string): Promise<string>
  readBlob(container: string, blobName: string): Promise<Buffer>
  blobProperties(container: string, blobName: string): Promise<BlobProperties>
  /** The blob store is ended as by a power cut, and is there again when the promise resolves. */
  restartBlobStore(): Promise<void>
  /** In force until the next call; `null` heals. */
  blobFault(fault: BlobFault | null): Promise<void>

  close(): Promise<void>
}

const policyName = 'iothubowner'

export async function startHub({
  dir: givenDir,
  hostName = 'localhost',
  amqpIdleTimeOutMs = 240_000,
}: HubOptions = {}): Promise<Hub> {
  const dir = givenDir ?? (await mkdtemp(join(tmpdir(), 'local-iot-hub-')))
  await mkdir(dir, { recursive: true })
  const authority = await makeAuthority(hostName)
  const caFile = join(dir, 'ca.pem')
  await writeFile(caFile, authority.ca)

  const log = new EventLog()
  const { tell } = log
  const identities = new Identities()
  const doors = new Map<string, DeviceDoor>()
  const services: Dps[] = []
  const faultsOf = (deviceId: string): Faults => doors.get(deviceId)?.faults ?? new Faults()
  const policyKey = makeKey()
  let connections = 0

  const sessions = new Sessions()
  const methods = new Methods(sessions, tell)
  const common = { hostName, identities, sessions, methods, faultsOf, tell }
  const mqtt = new MqttFront(common)
  const amqp = new AmqpFront({ ...common, idleTimeOutMs: amqpIdleTimeOutMs })
  const fronts: Pick<WebSocketFrontOptions, 'mqtt' | 'amqp'> = {
    mqtt: (stream, origin) => mqtt.accept(stream, origin),
    amqp: (stream, origin) => amqp.accept(stream, origin),
  }
  const websockets = new WebSocketFront({
    ...fronts,
    serve: (request, response) => void https.serve(request, response),
    faultsOf,
    tell,
  })
  const protocols = new Protocols({ ...fronts, http: (tls, origin) => websockets.accept(tls, origin) })
  const listeners = new Listeners(authority, tell, (tls, origin) => protocols.take(tls, origin))
  await listeners.open('good')
  const blobs = new BlobStore(join(dir, 'azurite'), authority, tell)
  await blobs.open()
  const uploads = new Uploads(tell)
  const identityOf = ({ deviceId, moduleId }: { deviceId: string; moduleId: string | null }): Identity => ({
    deviceId,
    moduleId: moduleId ?? undefined,
  })
  const patchDesired = async (registered: Registered, patch: object): Promise<void> => {
    const told = registered.twin.patchDesired(patch)
    await sessions.get(identityOf(registered))?.desiredChanged(told)
  }
  const https = new HttpsFront({
    hostName,
    identities,
    policies: new Map([[policyName, policyKey]]),
    faultsOf,
    methods,
    uploads,
    blobs,
    patchDesired,
    isConnected: registered => sessions.get(identityOf(registered)) !== undefined,
    tell,
  })
  const httpsPort = await https.listen(await authority.issue('good'), authority.clients.ca)

  const door = (deviceId: string): DeviceDoor => {
    const found = doors.get(deviceId)
    if (!found) throw new Error(`${deviceId} is not registered`)
    return found
  }
  const family = (deviceId: string): Identity[] => identities.family({ deviceId }).map(identityOf)

  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    await Promise.all([...doors.values(), ...services].map(open => open.close()))
    https.close()
    protocols.close()
    websockets.close()
    amqp.close()
    await mqtt.close()
    listeners.close()
    await blobs.close()
    if (givenDir === undefined) await rm(dir, { recursive: true, force: true })
  }

  const hub: Hub = {
    hostName,
    ca: authority.ca,
    caFile,
    ports: { https: httpsPort, blob: blobs.port },
    serviceConnectionString: `HostName=${hostName};SharedAccessKeyName=${policyName};SharedAccessKey=${policyKey}`,

    async addDevice(deviceId, { moduleIds = [], ...secret } = {}) {
      for (const moduleId of [undefined, ...moduleIds]) {
        identities.add({ deviceId, moduleId }, secret)
        await mqtt.addIdentity({ deviceId, moduleId })
      }
      const known = doors.get(deviceId)
      if (known) return known
      const added = new DeviceDoor({
        deviceId,
        listeners,
        tell,
        number: () => ++connections,
        misbehave: fault => {
          for (const identity of family(deviceId)) mqtt.misbehave(identity, fault)
          amqp.misbehave(deviceId, fault)
          websockets.misbehave(deviceId, fault)
        },
        healed: () => amqp.healed(deviceId),
      })
      await added.open()
      doors.set(deviceId, added)
      return added
    },
    door,
    issueClientCertificate: (commonName, days) => authority.clients.issue(commonName, days),
    setCertificateRule(identity, rule) {
      identities.get(identity).x509 = rule
    },
    connectionString(deviceId, moduleId, { gateway = false, port = true } = {}) {
      const { key, x509 } = identities.get({ deviceId, moduleId })
      const ending = port ? `:${door(deviceId).port}` : ''
      const host = gateway ? `${hostName};GatewayHostName=localhost${ending}` : `${hostName}${ending}`
      const module = moduleId === undefined ? '' : `ModuleId=${moduleId};`
      return `HostName=${host};DeviceId=${deviceId};${module}${x509 ? 'x509=true' : `SharedAccessKey=${key}`}`
    },
    async startDps() {
      const certificate = await authority.issue('good')
      const dps = await startDps({ certificate, clientCa: authority.clients.ca, tell })
      services.push(dps)
      return dps
    },
    assignment: deviceId => ({ hub: `${hostName}:${door(deviceId).port}`, deviceId }),
    agent: () => new Agent({ host: 'localhost', port: httpsPort, ca: authority.ca }),
    doorAgent: deviceId => new Agent({ host: 'localhost', port: door(deviceId).port, ca: authority.ca }),
    sasToken(identity, { expiresInSeconds = 3600, key } = {}) {
      const registered = identities.get(identity)
      const expiresAtSeconds = Math.floor(Date.now() / 1000) + expiresInSeconds
      return signSas(resourceOf(hostName, registered), key ?? registered.key, expiresAtSeconds)
    },

    disableDevice(deviceId) {
      for (const registered of identities.family({ deviceId })) registered.enabled = false
      for (const identity of family(deviceId)) sessions.get(identity)?.end('identity')
    },
    enableDevice(deviceId) {
      for (const registered of identities.family({ deviceId })) registered.enabled = true
    },
    async deleteDevice(deviceId) {
      const removed = family(deviceId)
      identities.remove({ deviceId })
      for (const identity of removed) {
        sessions.get(identity)?.end('identity')
        await mqtt.removeIdentity(identity)
      }
    },
    regenerateKey(identity) {
      identities.get(identity).key = makeKey()
    },

    async invokeMethod(identity, { methodName, payload = null, responseTimeoutInSeconds = 30 }) {
      const bytes = Buffer.from(JSON.stringify(payload))
      const answer = await hub.invokeRaw(identity, methodName, bytes, responseTimeoutInSeconds * 1000)
      return { status: answer.status, payload: parsePayload(answer.payload) }
    },
    async invokeRaw(identity, methodName, payload, timeoutMs = 30_000) {
      identities.get(identity)
      return methods.invoke(identity, methodName, payload, timeoutMs)
    },
    patchDesired(identity, patch) {
      return patchDesired(identities.get(identity), patch)
    },
    messages: identity => identities.get(identity).messages.list,
    twin(identity) {
      const { desired, reported } = identities.get(identity).twin
      return { desired, reported }
    },

    log: log.events,
    waitFor: (match, options) => log.waitFor(match, options),

    uploads: uploads.list,
    containerSasUrl: container => blobs.containerSasUrl(container),
    readBlob: (container, blobName) => blobs.read(container, blobName),
    blobProperties: (container, blobName) => blobs.properties(container, blobName),
    restartBlobStore: () => blobs.restart(),
    blobFault: fault => blobs.setFault(fault),

    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => hub.close(),
  }
  return hub
}
