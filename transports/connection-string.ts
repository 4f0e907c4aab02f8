/** Connection strings of devices and modules, read part by part; what is wrong is said without the secret. */
import type { Secrets } from './secrets.js'

export type Address = Readonly<{ text: string; host: string; port: number | null }>

/** What a connection string says, checked as far as it can be without knowing what goes with it. */
export type ConnectionString = Readonly<{
  hub: Address | null
  gateway: Address | null
  deviceId: string | null
  moduleId: string | null
  key: string | null
  token: string | null
  x509: boolean
}>

const known = [
  'HostName',
  'DeviceId',
  'ModuleId',
  'SharedAccessKey',
  'SharedAccessSignature',
  'x509',
  'GatewayHostName',
] as const

const ofServices = "found a service's connection string; expected a device's or module's, which has DeviceId"

/** @param secrets learns the key, the token and the whole text before anything else can see them */
export function readConnectionString(
  text: string,
  secrets: Secrets,
): { found: ConnectionString; problems: readonly string[] } {
  const inside = withoutQuotes(text.trim())
  const { fields, problems } = split(inside)
  if (inside !== text.trim()) {
    problems.unshift("found quotes around it; expected it without: they are the shell's, and are no part of it")
  }
  const key = fields.get('SharedAccessKey') ?? null
  const token = fields.get('SharedAccessSignature') ?? null
  if (key) secrets.add('shared-access-key', key)
  if (token) rememberToken(secrets, token)
  if (key || token) secrets.add('connection-string', text.trim())

  for (const name of fields.keys()) {
    if (name === 'SharedAccessKeyName') problems.push(`SharedAccessKeyName: ${ofServices}`)
    else if (!(known as readonly string[]).includes(name)) {
      problems.push(`found an unknown field; expected ${known.join(', ')}`)
    }
  }
  const x509 = fields.get('x509')
  if (x509 !== undefined && x509.toLowerCase() !== 'true') problems.push('x509: found another value; expected true')
  const ways = [
    key === null ? null : 'SharedAccessKey',
    token === null ? null : 'SharedAccessSignature',
    x509 === undefined ? null : 'x509',
  ].filter(way => way !== null)
  if (ways.length > 1) problems.push(`found ${ways.join(' and ')}; expected one of them`)
  const found: ConnectionString = {
    hub: readAddress('HostName', fields.get('HostName'), true, problems),
    gateway: readAddress('GatewayHostName', fields.get('GatewayHostName'), false, problems),
    deviceId: readIdentifier('DeviceId', fields.get('DeviceId'), true, problems),
    moduleId: readIdentifier('ModuleId', fields.get('ModuleId'), false, problems),
    key,
    token,
    x509: x509 !== undefined,
  }
  if (key !== null) problems.push(...problemsOfKey('SharedAccessKey', key))
  return { found, problems: [...new Set(problems)] }
}

/** What is inside is read all the same, so that all that is wrong is said at once. */
const withoutQuotes = (text: string): string => /^["'`\u201c\u2018](.*)["'`\u201d\u2019]$/s.exec(text)?.[1] ?? text

function split(text: string): { fields: Map<string, string>; problems: string[] } {
  const fields = new Map<string, string>()
  const problems: string[] = []
  if (text === '') problems.push('found nothing; expected HostName=...;DeviceId=...')
  if (/[\r\n]/.test(text)) problems.push('found more than one line; expected one connection string')
  if (text.includes('\0')) problems.push('found a NUL byte; expected text')
  for (const [index, part] of text.split(';').entries()) {
    if (part === '') continue
    const at = part.indexOf('=')
    // The part itself is never repeated: it may hold the key.
    if (at <= 0) problems.push(`part ${index + 1}: found no name; expected Name=Value`)
    else if (fields.has(part.slice(0, at))) problems.push(`part ${index + 1}: a field is given twice; expected it once`)
    else fields.set(part.slice(0, at), part.slice(at + 1))
  }
  return { fields, problems }
}

/** @param name the field, for the problem; what was found is not repeated, because it may be a secret in the wrong place */
export function readAddress(
  name: string,
  text: string | undefined,
  needed: boolean,
  problems: string[],
): Address | null {
  if (text === undefined || text === '') {
    const found = text === undefined ? 'is missing' : 'found nothing'
    if (needed || text === '')
      problems.push(`${name}: ${found}; expected a host name, such as my-hub.azure-devices.net`)
    return null
  }
  const match = /^([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(?::([0-9]{1,5}))?$/.exec(text)
  const port = match?.[2] === undefined ? null : Number(match[2])
  if (!match?.[1]) {
    problems.push(`${name}: found ${inWords(text)}; expected a host name alone, with :PORT if one is needed`)
    return null
  }
  if (port !== null && (port < 1 || port > 65_535)) {
    problems.push(`${name}: found the port ${port}; expected 1 to 65535`)
    return null
  }
  return { text, host: match[1], port }
}

/** IoT Hub's rule for device and module ids: up to 128 characters of a fixed set. */
export function readIdentifier(
  name: string,
  text: string | undefined,
  needed: boolean,
  problems: string[],
): string | null {
  if (text === undefined && !needed) return null
  if (text !== undefined && /^[A-Za-z0-9\-.%_*?!(),:=@$']{1,128}$/.test(text)) return text
  const found = text === undefined ? 'is missing' : `found ${inWords(text)}`
  problems.push(`${name}: ${found}; expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '`)
  return null
}

export function problemsOfKey(name: string, key: string): string[] {
  if (key === '') return [`${name}: found nothing; expected base64, as the portal shows it`]
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key) && key.length % 4 === 0) return []
  return [`${name}: found ${key.length} characters that are no base64; expected base64, as the portal shows it`]
}

/** What is wrong with a text, without the text. */
function inWords(text: string): string {
  if (text === '') return 'nothing'
  if (text.includes('\0')) return 'a NUL byte in it'
  if (/[\r\n]/.test(text)) return 'a line break in it'
  if (text.length > 128) return `${text.length} characters`
  if (/^[a-z]+:\/\//i.test(text)) return 'an address with a scheme'
  if (/\s/.test(text)) return 'a space in it'
  return 'a character that does not belong there'
}

/** Debug output of any library may hold it, whole or in part. */
export function rememberToken(secrets: Secrets, token: string): void {
  secrets.add('shared-access-signature', token)
  const signature = /(?:^|[ &])sig=([^&]+)/.exec(token)?.[1]
  if (!signature) return
  secrets.add('signature', signature)
  try {
    secrets.add('signature', decodeURIComponent(signature))
  } catch (error) {
    // What cannot be decoded has no other form.
    if (!(error instanceof URIError)) throw error
  }
}
