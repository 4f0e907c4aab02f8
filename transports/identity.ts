/** Who we are to a hub, for one incarnation: what is known of it, and the SDK's clients made from it. */
import { createHash, createHmac } from 'node:crypto'
import sdkCommon from 'azure-iot-common'
import device from 'azure-iot-device'
import type { Address } from './connection-string.js'
import type { CredentialKind, Failure, WireEvent } from './wire-event.js'

export type SdkClient = device.Client | device.ModuleClient
export type SdkTransport = Parameters<typeof device.Client.fromConnectionString>[1]
export type SdkOptions = Parameters<device.Client['setOptions']>[0]
export type AuthenticationProvider = Parameters<typeof device.Client.fromAuthenticationProvider>[0]

export type TokenRenewal = Readonly<{ tokenValidTimeInSeconds: number; tokenRenewalMarginInSeconds: number }>

/** PEM texts. The certificate may be followed by those that issued it; the key is not encrypted any more. */
export type ClientCertificate = Readonly<{ cert: string; key: string }>

/** An identity that can make SDK clients. Its secret cannot be read out of it, but for the certificate that TLS needs. */
export interface Identity {
  readonly kind: CredentialKind
  /** As the connection string says it, with a port if one is there: the SDK signs tokens for this text. */
  readonly hub: string
  /** The hub's name without a port: what file upload dials. */
  readonly hubHost: string
  /** The name to dial, to verify in TLS and to look up: the gateway's if there is one, else the hub's. */
  readonly host: string
  /** From the connection string's host; `null` leaves it to the configuration. */
  readonly port: number | null
  /** Whether `host` is a gateway and not the hub. */
  readonly gateway: boolean
  readonly deviceId: string
  readonly moduleId: string | null
  /** 8 hexadecimal digits that change with the secret: enough to tell a new one from the old, too few to find it by. */
  readonly fingerprint: string
  /** Who makes the next token: we, out of a key; somebody else, into a file; or nobody, because there is no token. */
  readonly renewal: 'ours' | 'theirs' | 'none'
  /** RFC 3339: when the certificate, or the token that somebody else renews, ends. `null` where we renew. */
  readonly expiresAt: string | null
  /** For TLS, where the hub knows us by it. */
  readonly clientCertificate: ClientCertificate | null
  /** PEM of what to trust beside everything else; IoT Edge gives it. */
  readonly trustBundle: string | null
  /** What is doubtful though it may work: it has not begun, or it is an older one because the newest cannot be read. */
  readonly warnings: readonly string[]
  /** Whether a token that is made from the key verifies with it, as the hub would; `null` where the key is not ours to use. */
  readonly tokenHolds: (() => boolean) | null
  /** How long the key is, decoded; `null` where there is none that is ours. */
  readonly keyBytes: number | null
  /** A fresh client over the given transport, for a device or a module. */
  client(Transport: SdkTransport): SdkClient
  /**
   * The whole set for the client's `setOptions`, which forgets what it is not given again.
   *
   * @param tokenRenewal where tokens are ours to make; the SDK throws at it elsewhere, so it is left out there
   */
  options(tokenRenewal: TokenRenewal): SdkOptions
  /** For the hub's file upload: `null` for a module, which IoT Hub does not let upload. */
  deviceClient(Transport: SdkTransport): device.Client | null
}

/** What is known before anybody was asked. */
export type Claims = Readonly<{
  kind: CredentialKind
  /** `null` until a provisioning service has assigned one. */
  hub: string | null
  deviceId: string
  moduleId: string | null
  fingerprint: string
}>

export type Happening = DistributiveOmit<
  Extract<WireEvent, { type: 'provisioningStarted' | 'provisioningDone' }>,
  'monoMs' | 'protocol' | 'attempt'
>

export type Asking = Readonly<{
  signal: AbortSignal
  /** What is done over the network to find out. */
  tell(happening: Happening): void
}>

/** Asked anew for each incarnation, so that renewed files are picked up and another hub can be assigned. */
export interface Credential {
  readonly claims: Claims
  /** @throws IdentityError, also when the signal aborts */
  identify(asking: Asking): Promise<Identity>
  /** Whether something newer than this identity, and good, lies ready: worth a planned reconnection. Never rejects. */
  hasNewer(identity: Identity): Promise<boolean>
  /** What came of the incarnation. */
  met(outcome: 'accepted' | 'refused' | 'failed'): void
}

/** Nobody can say who we are at the moment; trying again may help. */
export class IdentityError extends Error {
  override readonly name: string = 'IdentityError'

  constructor(
    message: string,
    /** The least time until it makes sense to ask again, where the other side said so. */
    readonly retryAfterMs: number = 0,
    /** Its name in the event, where it has one. */
    readonly failure: Failure | null = null,
    options: ErrorOptions = {},
  ) {
    super(message, options)
  }
}

/** What is wrong with a credential, all at once; no line holds any part of the secret. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError'

  /** @param problems a line each: the place, what was found, what was expected */
  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '))
  }
}

export const claimsOf = ({ kind, hub, deviceId, moduleId, fingerprint }: Identity): Claims => ({
  kind,
  hub,
  deviceId,
  moduleId,
  fingerprint,
})

/** One that never changes. */
export const fixedCredential = (identity: Identity): Credential => ({
  claims: claimsOf(identity),
  identify: async () => identity,
  hasNewer: async () => false,
  met: () => undefined,
})

export type Name = Readonly<{ hub: Address; gateway: Address | null; deviceId: string; moduleId: string | null }>

/** By a key, of which the SDK makes tokens. */
export function keyIdentity(name: Name, key: string): Identity {
  const { hub, gateway, deviceId, moduleId } = name
  // Written anew from what was checked, so that the SDK's looser parser sees nothing that we did not.
  const connectionString = [
    `HostName=${hub.text}`,
    `DeviceId=${deviceId}`,
    ...(moduleId === null ? [] : [`ModuleId=${moduleId}`]),
    `SharedAccessKey=${key}`,
    ...(gateway === null ? [] : [`GatewayHostName=${gateway.text}`]),
  ].join(';')
  return {
    ...common(name),
    kind: 'key',
    tokenHolds: () => tokenHolds(name, key),
    keyBytes: Buffer.from(key, 'base64').length,
    fingerprint: fingerprintOf(connectionString),
    renewal: 'ours',
    options: renewing,
    client: Transport =>
      moduleId === null
        ? device.Client.fromConnectionString(connectionString, Transport)
        : device.ModuleClient.fromConnectionString(connectionString, Transport),
    deviceClient: Transport =>
      moduleId === null ? device.Client.fromConnectionString(connectionString, Transport) : null,
  }
}

const tokenLifeSeconds = 300

/** The SDK makes it, and the sum is done again as the documentation of IoT Hub has it. */
function tokenHolds({ hub, deviceId, moduleId }: Name, key: string): boolean {
  const resource = `${hub.text}/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`
  const expirySeconds = Math.floor(Date.now() / 1e3) + tokenLifeSeconds
  const made = sdkCommon.SharedAccessSignature.create(resource, '', key, expirySeconds).toString()
  const {
    sr = '',
    sig = '',
    se = '',
  } = Object.fromEntries(
    made
      .replace(/^SharedAccessSignature /, '')
      .split('&')
      .map(field => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  )
  const expected = createHmac('sha256', Buffer.from(key, 'base64')).update(`${sr}\n${se}`).digest('base64')
  return decodeURIComponent(sig) === expected
}

/** By a token that somebody else makes. */
export function tokenIdentity(name: Name, token: string, expiresAt: string): Identity {
  const { hub, gateway, deviceId, moduleId } = name
  const provider = (): AuthenticationProvider =>
    new device.SharedAccessSignatureAuthenticationProvider({
      host: hub.text,
      deviceId,
      ...(moduleId === null ? {} : { moduleId }),
      ...(gateway === null ? {} : { gatewayHostName: gateway.text }),
      sharedAccessSignature: token,
    })
  return {
    ...common(name),
    ...clientsOf(name, provider),
    kind: 'sas',
    fingerprint: fingerprintOf(token),
    renewal: 'theirs',
    expiresAt,
    options: () => ({}),
  }
}

/** By a certificate, shown in the TLS handshake. */
export function certificateIdentity(
  name: Name,
  clientCertificate: ClientCertificate,
  expiresAt: string,
  warnings: readonly string[],
): Identity {
  const { hub, deviceId, moduleId } = name
  const provider = (): AuthenticationProvider =>
    new device.X509AuthenticationProvider({
      host: hub.text,
      deviceId,
      ...(moduleId === null ? {} : { moduleId }),
      x509: { ...clientCertificate },
    })
  return {
    ...common(name),
    ...clientsOf(name, provider),
    kind: 'x509',
    fingerprint: fingerprintOf(hub.text, deviceId, moduleId ?? '', clientCertificate.cert),
    renewal: 'none',
    expiresAt,
    clientCertificate,
    warnings,
    options: () => ({ ...clientCertificate }),
  }
}

export const clientsOf = (
  { moduleId }: Name,
  provider: () => AuthenticationProvider,
): Pick<Identity, 'client' | 'deviceClient'> => ({
  client: Transport =>
    moduleId === null
      ? device.Client.fromAuthenticationProvider(provider(), Transport)
      : device.ModuleClient.fromAuthenticationProvider(provider(), Transport),
  deviceClient: Transport =>
    moduleId === null ? device.Client.fromAuthenticationProvider(provider(), Transport) : null,
})

/** What follows from the names alone. */
export function common({ hub, gateway, deviceId, moduleId }: Name) {
  const dialled = gateway ?? hub
  return {
    hub: hub.text,
    hubHost: hub.host,
    host: dialled.host,
    port: dialled.port,
    gateway: gateway !== null,
    deviceId,
    moduleId,
    expiresAt: null,
    clientCertificate: null,
    trustBundle: null,
    warnings: [],
    tokenHolds: null,
    keyBytes: null,
  }
}

export const renewing = (tokenRenewal: TokenRenewal): SdkOptions => ({ tokenRenewal })

export const fingerprintOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 8)

type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never
