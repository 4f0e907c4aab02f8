/** Which of its credentials a device is to use, read and checked at start, and read again for each incarnation. */
import { join } from 'node:path'
import { type CertificateFiles, readClientCertificate } from './client-certificate.js'
import {
  type ConnectionString,
  readAddress,
  readConnectionString,
  readIdentifier,
  rememberToken,
} from './connection-string.js'
import { type DpsSettings, loadProvisioned, type Provisioning } from './dps-settings.js'
import { edgeCredential, isEdgeModule } from './edge.js'
import {
  type Credential,
  CredentialError,
  certificateIdentity,
  claimsOf,
  type Identity,
  keyIdentity,
  type Name,
  tokenIdentity,
} from './identity.js'
import { mismatch, namesIn, readToken, type Token } from './sas-token.js'
import { readSecretFile } from './secret-file.js'
import type { Secrets } from './secrets.js'

export { type Credential, CredentialError, type Identity, type SdkClient, type SdkTransport } from './identity.js'

/** Of the configuration's `connection`; paths are absolute, `null` is what was not given. */
export type CredentialSettings = Readonly<{
  connectionStringFile: string | null
  x509: CertificateFiles | null
  sasTokenFile: string | null
  dps: DpsSettings | null
}>

export type CredentialSource = Readonly<{
  settings: CredentialSettings
  env: NodeJS.ProcessEnv
  /** What provisioning needs; without it the secrets are read and checked, and nobody can be asked. */
  provisioning?: Provisioning
  /** Wall time; default: the system's. */
  now?: () => number
}>

/** Where a text comes from, now and the next time. */
type Place = Readonly<{ place: string; read(): Promise<{ text: string } | { problem: string }> }>

const aConnectionString = 'HostName=...;DeviceId=...'

/**
 * The connection string is the first of: `HUBREC_CONNECTION_STRING`, the configured file, systemd's credential
 * `connection-string` in `$CREDENTIALS_DIRECTORY`. What goes with it is configured beside it.
 *
 * @param secrets learns keys, tokens and passphrases before anything else can see them
 * @throws CredentialError with everything that is wrong
 */
export async function loadCredential(source: CredentialSource, secrets: Secrets): Promise<Credential> {
  const { settings } = source
  const now = source.now ?? Date.now
  const clashes = clashesOf(source)
  if (settings.dps !== null)
    return loadProvisioned(settings.dps, { provisioning: source.provisioning, clashes, secrets, now })
  const place = placeOf(source)
  // What was configured wins over what IoT Edge lays into every module's environment.
  const configured = place !== null || settings.sasTokenFile !== null || settings.x509 !== null
  if (!configured && isEdgeModule(source.env)) return edgeCredential(source.env, secrets)
  if (place === null && settings.sasTokenFile === null) {
    throw new CredentialError([...clashes, settings.x509 === null ? nothingGiven : noNameGiven])
  }
  const read = (): Promise<Identity> => readIdentity(place, settings, secrets, now())
  const first = await read().catch((error: unknown) => {
    if (error instanceof CredentialError) throw new CredentialError([...clashes, ...error.problems])
    throw error
  })
  if (clashes.length > 0) throw new CredentialError(clashes)
  return readEachTime(first, read, now)
}

const nothingGiven =
  'connection: found no credential; expected connectionStringFile, sasTokenFile, dps, HUBREC_CONNECTION_STRING, ' +
  'systemd\'s credential "connection-string", or the environment of an IoT Edge module'

const noNameGiven =
  'connection.connectionStringFile: is missing; expected HostName=...;DeviceId=...;x509=true beside connection.x509'

/** Two kinds at once: which of them was meant is not for us to guess. */
function clashesOf({ settings: { connectionStringFile, x509, sasTokenFile, dps }, env }: CredentialSource): string[] {
  const beside = { 'connection.x509': x509, 'connection.sasTokenFile': sasTokenFile }
  const strings = {
    HUBREC_CONNECTION_STRING: env.HUBREC_CONNECTION_STRING,
    'connection.connectionStringFile': connectionStringFile,
  }
  const all = { ...(dps === null ? {} : { 'connection.dps': dps, ...strings }), ...beside }
  const given = Object.entries(all).flatMap(([name, value]) => (value ? [name] : []))
  return given.length > 1 ? [`found ${given.join(' and ')}; expected one of them`] : []
}

function placeOf({ settings, env }: CredentialSource): Place | null {
  const given = env.HUBREC_CONNECTION_STRING
  if (given) return { place: 'HUBREC_CONNECTION_STRING', read: async () => ({ text: given }) }
  const { connectionStringFile, sasTokenFile } = settings
  if (connectionStringFile !== null) return fileAt('connection.connectionStringFile', connectionStringFile)
  // A token says whose it is; only where it is alone, what systemd has laid ready is the connection string.
  const directory = env.CREDENTIALS_DIRECTORY
  if (!directory || sasTokenFile !== null) return null
  return fileAt('systemd\'s credential "connection-string"', join(directory, 'connection-string'))
}

const fileAt = (place: string, path: string): Place => ({
  place: `${place}: ${path}`,
  read: () => readSecretFile(place, path, aConnectionString),
})

/** One of a file that cannot be read any more goes on with what it was: the hub decides whether that is still good. */
function readEachTime(first: Identity, read: () => Promise<Identity>, now: () => number): Credential {
  let last = first
  return {
    claims: claimsOf(first),
    async identify() {
      try {
        last = await read()
        return last
      } catch (error) {
        if (!(error instanceof CredentialError)) throw error
        return { ...last, warnings: [...error.problems, ...last.warnings] }
      }
    },
    async hasNewer(identity) {
      try {
        const found = await read()
        return found.fingerprint !== identity.fingerprint && isNewer(found, identity, now())
      } catch (error) {
        if (error instanceof CredentialError) return false
        throw error
      }
    },
    met: () => undefined,
  }
}

/** A token that ends sooner, or a certificate that is not good now, waits for the next incarnation. */
function isNewer(found: Identity, { expiresAt }: Identity, nowMs: number): boolean {
  if (found.expiresAt === null || expiresAt === null || found.warnings.length > 0) return false
  return found.kind === 'x509' ? Date.parse(found.expiresAt) > nowMs : found.expiresAt > expiresAt
}

async function readIdentity(
  place: Place | null,
  { x509, sasTokenFile }: CredentialSettings,
  secrets: Secrets,
  nowMs: number,
): Promise<Identity> {
  const problems: string[] = []
  const string = place === null ? null : await readString(place, secrets, problems)
  const at = (said: string): string => `${place?.place ?? 'connection'}: ${said}`
  const certificate = x509 === null ? null : await readClientCertificate('connection.x509', x509, secrets, nowMs)
  if (certificate && 'problems' in certificate) problems.push(...certificate.problems)
  const token = sasTokenFile === null ? null : await readTokenFile(sasTokenFile, secrets, problems)

  const name = string ? nameOf(string) : null
  if (string) {
    const { key, x509: says } = string
    const inString = string.token === null ? null : ownToken(string.token, at('SharedAccessSignature'), problems)
    const ways = [key === null ? null : 'SharedAccessKey', string.token === null ? null : 'SharedAccessSignature']
    const way = ways.find(each => each !== null) ?? null
    if (x509 !== null && way !== null) problems.push(at(`found ${way} and connection.x509; expected one of them`))
    if (x509 !== null && way === null && !says) {
      problems.push(at('found connection.x509 without x509=true; expected HostName=...;DeviceId=...;x509=true'))
    }
    if (says && x509 === null) {
      problems.push(
        'connection.x509: is missing; expected certFile and keyFile, because the connection string says x509=true',
      )
    }
    if (sasTokenFile !== null && (way !== null || says)) {
      problems.push(at(`found ${way ?? 'x509=true'} and connection.sasTokenFile; expected one of them`))
    }
    if (way === null && !says && x509 === null && sasTokenFile === null) {
      problems.push(at('SharedAccessKey: is missing; expected it, or SharedAccessSignature, or x509=true'))
    }
    if (problems.length === 0 && name) {
      if (key !== null) return keyIdentity(name, key)
      if (inString) return byToken(name, inString, at('SharedAccessSignature'))
      if (certificate && !('problems' in certificate)) {
        return certificateIdentity(name, certificate.certificate, certificate.expiresAt, certificate.warnings)
      }
    }
  }
  if (token && problems.length === 0) {
    const whose = name ?? token.name ?? nameInToken(token.token, token.place, problems)
    if (whose) return byToken(whose, token.token, token.place)
  }
  throw new CredentialError([...new Set(problems)])
}

async function readString(
  { place, read }: Place,
  secrets: Secrets,
  problems: string[],
): Promise<ConnectionString | null> {
  const given = await read()
  if ('problem' in given) {
    problems.push(given.problem)
    return null
  }
  const { found, problems: inString } = readConnectionString(given.text, secrets)
  problems.push(...inString.map(said => `${place}: ${said}`))
  return found
}

const nameOf = ({ hub, gateway, deviceId, moduleId }: ConnectionString): Name | null =>
  hub === null || deviceId === null ? null : { hub, gateway, deviceId, moduleId }

type TokenFile = Readonly<{ token: Token; place: string; name: Name | null }>

/** A token alone, or a connection string that holds one. */
async function readTokenFile(path: string, secrets: Secrets, problems: string[]): Promise<TokenFile | null> {
  const setting = 'connection.sasTokenFile'
  const place = `${setting}: ${path}`
  const given = await readSecretFile(setting, path, 'a SAS token, or a connection string with SharedAccessSignature')
  if ('problem' in given) {
    problems.push(given.problem)
    return null
  }
  const { text } = given
  if (!/(^|;)HostName=/.test(text)) {
    rememberToken(secrets, text)
    const token = ownToken(text, place, problems)
    return token && { token, place, name: null }
  }
  const { found, problems: inString } = readConnectionString(text, secrets)
  problems.push(...inString.map(said => `${place}: ${said}`))
  if (found.token === null) {
    problems.push(`${place}: SharedAccessSignature: is missing; expected it in a file that somebody renews`)
    return null
  }
  const token = ownToken(found.token, `${place}: SharedAccessSignature`, problems)
  return token && { token, place, name: nameOf(found) }
}

function ownToken(text: string, place: string, problems: string[]): Token | null {
  const read = readToken(text)
  if ('token' in read) return read.token
  problems.push(`${place}: ${read.problem}`)
  return null
}

/** A token of a device says its name; one of a policy does not. */
function nameInToken(token: Token, place: string, problems: string[]): Name | null {
  const names = namesIn(token)
  if (names === null) {
    problems.push(
      `${place}: found a token that names no device; expected a connection string with HostName and DeviceId beside it`,
    )
    return null
  }
  const inToken: string[] = []
  const hub = readAddress('sr', names.host, true, inToken)
  const deviceId = readIdentifier('sr', names.deviceId, true, inToken)
  const moduleId = readIdentifier('sr', names.moduleId, false, inToken)
  problems.push(...inToken.map(said => `${place}: ${said}`))
  if (hub === null || deviceId === null || inToken.length > 0) return null
  return { hub, gateway: null, deviceId, moduleId }
}

function byToken(name: Name, token: Token, place: string): Identity {
  const wrong = mismatch(token, name)
  if (wrong !== null) throw new CredentialError([`${place}: ${wrong}`])
  // One that has ended is still tried: the clock may be wrong, and only the hub knows.
  return tokenIdentity(name, token.text, new Date(token.expiresMs).toISOString())
}

/**
 * An identity by a key, from a connection string at hand.
 *
 * @param place where the text came from, for the error
 * @throws CredentialError with every problem
 */
export function parseConnectionString(text: string, place: string, secrets: Secrets): Identity {
  const { found, problems } = readConnectionString(text, secrets)
  const name = nameOf(found)
  const missing = found.key === null ? ['SharedAccessKey: is missing; expected base64, as the portal shows it'] : []
  const wrong = [...problems, ...missing]
  if (wrong.length > 0 || name === null || found.key === null) {
    throw new CredentialError(wrong.map(said => `${place}: ${said}`))
  }
  return keyIdentity(name, found.key)
}
