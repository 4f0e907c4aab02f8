/** The one file that sees the secret: it reads it, checks it, and makes SDK clients from it. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import device from 'azure-iot-device'
import type { Secrets } from './secrets.js'

export type SdkClient = device.Client | device.ModuleClient
export type SdkTransport = Parameters<typeof device.Client.fromConnectionString>[1]

/** An identity that can make SDK clients. Its secret cannot be read out of it. */
export interface Credential {
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
  /** 8 hexadecimal digits that change with the key: enough to tell a new key from the old, too few to find it by. */
  readonly fingerprint: string
  /** A fresh client over the given transport, for a device or a module as the connection string says. */
  client(Transport: SdkTransport): SdkClient
  /** For the hub's file upload: `null` for a module, which IoT Hub does not let upload. */
  deviceClient(Transport: SdkTransport): device.Client | null
}

/** What is wrong with a credential, all at once; no line holds any part of the secret. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError'

  constructor(
    readonly place: string,
    readonly problems: readonly string[],
  ) {
    super(`${place}: ${problems.join('; ')}`)
  }
}

export type CredentialSource = Readonly<{ file: string | null; env: NodeJS.ProcessEnv }>

/**
 * Reads the connection string from the first of: `HUBREC_CONNECTION_STRING`, the configured file,
 * systemd's credential `connection-string` in `$CREDENTIALS_DIRECTORY`.
 *
 * @param secrets learns the key and the whole text before anything else can see them
 * @throws CredentialError
 */
export async function loadCredential({ file, env }: CredentialSource, secrets: Secrets): Promise<Credential> {
  const given = env.HUBREC_CONNECTION_STRING
  if (given) return parseConnectionString(given, 'HUBREC_CONNECTION_STRING', secrets)
  const directory = env.CREDENTIALS_DIRECTORY
  const path = file ?? (directory ? join(directory, 'connection-string') : null)
  if (path === null) {
    throw new CredentialError('connection.connectionStringFile', [
      'no connection string: expected a file here, HUBREC_CONNECTION_STRING, or systemd\'s credential "connection-string"',
    ])
  }
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new CredentialError(path, [`cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`])
  }
  return parseConnectionString(text, path, secrets)
}

const known = ['HostName', 'DeviceId', 'ModuleId', 'SharedAccessKey', 'GatewayHostName'] as const
const notYet: Readonly<Record<string, string>> = {
  SharedAccessSignature: 'a ready-made token is not supported in this version; expected SharedAccessKey',
  x509: 'X.509 is not supported in this version; expected SharedAccessKey',
  SharedAccessKeyName: "this is a service's connection string; a device's or module's is needed, which has DeviceId",
}

/**
 * @param place where the text came from, for the error
 * @throws CredentialError with every problem
 */
export function parseConnectionString(text: string, place: string, secrets: Secrets): Credential {
  const { fields, problems } = split(text.trim())
  const key = fields.get('SharedAccessKey')
  if (key) secrets.add('shared-access-key', key)
  secrets.add('connection-string', text.trim())

  for (const name of fields.keys()) {
    const hint = notYet[name]
    if (hint) problems.push(`${name}: ${hint}`)
    else if (!(known as readonly string[]).includes(name)) {
      problems.push(`unknown field (expected ${known.join(', ')})`)
    }
  }
  const hub = address('HostName', fields.get('HostName'), true, problems)
  const gateway = address('GatewayHostName', fields.get('GatewayHostName'), false, problems)
  const deviceId = identifier('DeviceId', fields.get('DeviceId'), true, problems)
  const moduleId = identifier('ModuleId', fields.get('ModuleId'), false, problems)
  if (!fields.has('SharedAccessSignature') && !fields.has('x509')) checkKey(key, problems)
  if (problems.length > 0 || hub === null || deviceId === null) throw new CredentialError(place, [...new Set(problems)])

  const dialled = gateway ?? hub
  // Written anew from what was checked, so that the SDK's looser parser sees nothing that we did not.
  const connectionString = known.flatMap(name => (fields.has(name) ? [`${name}=${fields.get(name)}`] : [])).join(';')
  return {
    hub: hub.text,
    hubHost: hub.host,
    host: dialled.host,
    port: dialled.port,
    gateway: gateway !== null,
    deviceId,
    moduleId,
    fingerprint: createHash('sha256').update(connectionString).digest('hex').slice(0, 8),
    client: Transport =>
      moduleId === null
        ? device.Client.fromConnectionString(connectionString, Transport)
        : device.ModuleClient.fromConnectionString(connectionString, Transport),
    deviceClient: Transport =>
      moduleId === null ? device.Client.fromConnectionString(connectionString, Transport) : null,
  }
}

function split(text: string): { fields: Map<string, string>; problems: string[] } {
  const fields = new Map<string, string>()
  const problems: string[] = []
  if (text === '') problems.push('is empty')
  for (const [index, part] of text.split(';').entries()) {
    if (part === '') continue
    const at = part.indexOf('=')
    // The part itself is never repeated: it may hold the key.
    if (at <= 0) problems.push(`part ${index + 1}: expected Name=Value`)
    else if (fields.has(part.slice(0, at))) problems.push(`part ${index + 1}: a field is given twice`)
    else fields.set(part.slice(0, at), part.slice(at + 1))
  }
  return { fields, problems }
}

type Address = Readonly<{ text: string; host: string; port: number | null }>

function address(name: string, text: string | undefined, needed: boolean, problems: string[]): Address | null {
  if (text === undefined || text === '') {
    if (needed || text === '') problems.push(`${name}: expected the hub's host name, such as my-hub.azure-devices.net`)
    return null
  }
  const match = /^([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(?::([0-9]{1,5}))?$/.exec(text)
  const port = match?.[2] === undefined ? null : Number(match[2])
  if (!match?.[1] || (port !== null && (port < 1 || port > 65_535))) {
    problems.push(`${name}: expected a host name, with a port from 1 to 65535 if one is needed`)
    return null
  }
  return { text, host: match[1], port }
}

/** IoT Hub's rule for device and module ids: up to 128 characters of a fixed set. */
function identifier(name: string, text: string | undefined, needed: boolean, problems: string[]): string | null {
  if (text === undefined && !needed) return null
  if (text !== undefined && /^[A-Za-z0-9\-.%_*?!(),:=@$']{1,128}$/.test(text)) return text
  problems.push(`${name}: expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '`)
  return null
}

function checkKey(key: string | undefined, problems: string[]): void {
  if (key === undefined || key === '') problems.push('SharedAccessKey: is missing')
  else if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key) || key.length % 4 !== 0) {
    problems.push('SharedAccessKey: expected base64, as the portal shows it')
  }
}
