/**
 * Bad configuration and credentials: each is refused at start with the field, what was found and what was expected, all
 * of it at once, and nothing of a secret.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../agent/config/load.js'
import { AgentError } from '../../agent/errors.js'
import { CredentialError, loadCredential } from '../../transports/credentials.js'
import type { Claims } from '../../transports/identity.js'
import { createSecrets } from '../../transports/secrets.js'
import type { KeyPair } from '../hub/certificates.js'
import { makeSelfSigned } from '../hub/client-certificates.js'
import { signSas } from '../hub/sas.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='
const host = 'my-hub.azure-devices.net'
const device = `HostName=${host};DeviceId=pump-7`
const inAnHour = Math.floor(Date.now() / 1e3) + 3600
const tokenFor = (resource: string, expires = inAnHour): string => signSas(resource, key, expires)
const own = tokenFor(`${host}/devices/pump-7`)
const [pair, other, old]: KeyPair[] = [
  await makeSelfSigned('pump-7'),
  await makeSelfSigned('pump-8'),
  await makeSelfSigned('pump-7', [-20, -1]),
]
const encrypted = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame, please' },
}).privateKey

/** Files that are there in each case, beside those of its own. */
const files: Readonly<Record<string, string>> = {
  'string.txt': `${device};SharedAccessKey=${key}`,
  'x509.txt': `${device};x509=true`,
  'bare.txt': device,
  'cert.pem': pair!.cert,
  'key.pem': pair!.key,
  'other-key.pem': other!.key,
  'encrypted.pem': encrypted,
  'passphrase.txt': 'something else entirely\n',
  'token.txt': own,
  'key.txt': `${key}\n`,
  'empty.txt': '\n',
}
const dps = { idScope: '0ne00A1B2C3', registrationId: 'pump-7', symmetricKeyFile: 'key.txt' }
const x509 = { certFile: 'cert.pem', keyFile: 'key.pem' }
const edge = {
  IOTEDGE_WORKLOADURI: 'unix:///var/run/iotedge/workload.sock',
  IOTEDGE_DEVICEID: 'edge-1',
  IOTEDGE_MODULEID: 'recorder',
  IOTEDGE_IOTHUBHOSTNAME: host,
  IOTEDGE_AUTHSCHEME: 'sasToken',
  IOTEDGE_MODULEGENERATIONID: '637',
}

type Case = Readonly<{
  connection?: Readonly<Record<string, unknown>>
  env?: Readonly<Record<string, string>>
  /** In place of, or beside, those above. */
  files?: Readonly<Record<string, string | Buffer>>
}>

type Outcome = Readonly<{ claims: Claims } | { problems: readonly string[] }>

/** As `hubrec run` does it: the configuration first, and then what it points to. */
async function load(t: Test, { connection = {}, env = {}, files: given = {} }: Case): Promise<Outcome> {
  const dir = t.testdir({ ...files })
  await mkdir(join(dir, 'directory'))
  for (const [name, content] of Object.entries(given)) await writeFile(join(dir, name), content)
  const file = join(dir, 'config.json')
  await writeFile(file, JSON.stringify({ connection }))
  const plain = (problems: readonly string[]): string[] => problems.map(problem => problem.replaceAll(dir, 'DIR'))
  const secrets = createSecrets()
  try {
    const { config } = await loadConfig({ file, env })
    const { claims } = await loadCredential({ settings: config.connection, env }, secrets)
    return { claims }
  } catch (error) {
    if (error instanceof CredentialError || error instanceof AgentError) return { problems: plain(error.problems) }
    throw error
  }
}

const refused: Readonly<Record<string, Case & Readonly<{ problems: readonly string[] }>>> = {
  'a key that is no base64': {
    env: { HUBREC_CONNECTION_STRING: `${device};SharedAccessKey=${key.slice(1)}` },
    problems: [
      'HUBREC_CONNECTION_STRING: SharedAccessKey: found 43 characters that are no base64; expected base64, as the portal shows it',
    ],
  },
  "a service's connection string": {
    env: {
      HUBREC_CONNECTION_STRING: `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`,
    },
    problems: [
      "HUBREC_CONNECTION_STRING: SharedAccessKeyName: found a service's connection string; expected a device's or module's, which has DeviceId",
      "HUBREC_CONNECTION_STRING: DeviceId: is missing; expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '",
    ],
  },
  'a bad host and a bad port': {
    env: { HUBREC_CONNECTION_STRING: `HostName=https://${host}/;GatewayHostName=edge:70000;DeviceId=d;x509=yes` },
    problems: [
      'HUBREC_CONNECTION_STRING: x509: found another value; expected true',
      'HUBREC_CONNECTION_STRING: HostName: found an address with a scheme; expected a host name alone, with :PORT if one is needed',
      'HUBREC_CONNECTION_STRING: GatewayHostName: found the port 70000; expected 1 to 65535',
      'connection.x509: is missing; expected certFile and keyFile, because the connection string says x509=true',
    ],
  },
  'a NUL byte and a line break in ids': {
    env: { HUBREC_CONNECTION_STRING: `HostName=${host};DeviceId=a\nb;ModuleId=c\0d;SharedAccessKey=${key}` },
    problems: [
      'HUBREC_CONNECTION_STRING: found more than one line; expected one connection string',
      'HUBREC_CONNECTION_STRING: found a NUL byte; expected text',
      "HUBREC_CONNECTION_STRING: DeviceId: found a line break in it; expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '",
      "HUBREC_CONNECTION_STRING: ModuleId: found a NUL byte in it; expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '",
    ],
  },
  'a field that is given twice, and one that nobody knows': {
    env: { HUBREC_CONNECTION_STRING: `${device};DeviceId=pump-8;Colour=red;SharedAccessKey=${key}` },
    problems: [
      'HUBREC_CONNECTION_STRING: part 3: a field is given twice; expected it once',
      'HUBREC_CONNECTION_STRING: found an unknown field; expected HostName, DeviceId, ModuleId, SharedAccessKey, SharedAccessSignature, x509, GatewayHostName',
    ],
  },
  'a key and a token in one connection string': {
    env: { HUBREC_CONNECTION_STRING: `${device};SharedAccessKey=${key};SharedAccessSignature=${own}` },
    problems: ['HUBREC_CONNECTION_STRING: found SharedAccessKey and SharedAccessSignature; expected one of them'],
  },
  'a connection string without any secret': {
    connection: { connectionStringFile: 'bare.txt' },
    problems: [
      'connection.connectionStringFile: DIR/bare.txt: SharedAccessKey: is missing; expected it, or SharedAccessSignature, or x509=true',
    ],
  },
  'no credential at all': {
    problems: [
      'connection: found no credential; expected connectionStringFile, sasTokenFile, dps, HUBREC_CONNECTION_STRING, systemd\'s credential "connection-string", or the environment of an IoT Edge module',
    ],
  },
  'a file that is not there': {
    connection: { connectionStringFile: 'nothing.txt' },
    problems: [
      'connection.connectionStringFile: DIR/nothing.txt: cannot be read: ENOENT; expected HostName=...;DeviceId=...',
    ],
  },
  'a directory in the place of a file': {
    connection: { connectionStringFile: 'directory' },
    problems: ['connection.connectionStringFile: DIR/directory: found a directory; expected HostName=...;DeviceId=...'],
  },
  'an empty file': {
    connection: { connectionStringFile: 'empty.txt' },
    problems: [
      'connection.connectionStringFile: DIR/empty.txt: found an empty file; expected HostName=...;DeviceId=...',
    ],
  },
  'a file in UTF-16': {
    connection: { connectionStringFile: 'wide.txt' },
    files: { 'wide.txt': Buffer.from(`\uFEFF${device};SharedAccessKey=${key}`, 'utf16le') },
    problems: ['connection.connectionStringFile: DIR/wide.txt: found UTF-16; expected HostName=...;DeviceId=...'],
  },
  'a secret in the place of a path': {
    connection: { sasTokenFile: own, dps: { ...dps, symmetricKeyFile: key } },
    problems: [
      'connection.sasTokenFile: found a string; expected the path of a file, and not the secret itself; treat that secret as known to others',
      'connection.dps.symmetricKeyFile: found a string; expected the path of a file, and not the secret itself; treat that secret as known to others',
    ],
  },
  'a certificate without x509=true': {
    connection: { connectionStringFile: 'bare.txt', x509 },
    problems: [
      'connection.connectionStringFile: DIR/bare.txt: found connection.x509 without x509=true; expected HostName=...;DeviceId=...;x509=true',
    ],
  },
  'a certificate, and nobody says whose': {
    connection: { x509 },
    problems: [
      'connection.connectionStringFile: is missing; expected HostName=...;DeviceId=...;x509=true beside connection.x509',
    ],
  },
  'a certificate beside a key': {
    connection: { connectionStringFile: 'string.txt', x509 },
    problems: [
      'connection.connectionStringFile: DIR/string.txt: found SharedAccessKey and connection.x509; expected one of them',
    ],
  },
  'x509=true without files': {
    connection: { connectionStringFile: 'x509.txt' },
    problems: [
      'connection.x509: is missing; expected certFile and keyFile, because the connection string says x509=true',
    ],
  },
  'a certificate without its key': {
    connection: { connectionStringFile: 'x509.txt', x509: { certFile: 'cert.pem' } },
    problems: ['connection.x509.keyFile: is missing; expected it beside the others'],
  },
  'the key of another certificate': {
    connection: { connectionStringFile: 'x509.txt', x509: { ...x509, keyFile: 'other-key.pem' } },
    problems: [
      'connection.x509.keyFile: DIR/other-key.pem: found the key of another certificate; expected the key of DIR/cert.pem',
    ],
  },
  'certificate and key the wrong way round': {
    connection: { connectionStringFile: 'x509.txt', x509: { certFile: 'key.pem', keyFile: 'cert.pem' } },
    problems: [
      'connection.x509.keyFile: DIR/cert.pem: found a certificate; expected a private key in PEM',
      'connection.x509.certFile: DIR/key.pem: found a private key; expected a certificate in PEM',
    ],
  },
  'PEM that cannot be parsed': {
    connection: { connectionStringFile: 'x509.txt', x509: { certFile: 'bad.pem', keyFile: 'bad-key.pem' } },
    files: {
      'bad.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'bad-key.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
    },
    problems: [
      'connection.x509.keyFile: DIR/bad-key.pem: found something that is no private key; expected a private key in PEM',
      'connection.x509.certFile: DIR/bad.pem: found a certificate that cannot be parsed; expected a certificate in PEM',
    ],
  },
  'an encrypted key without a passphrase': {
    connection: { connectionStringFile: 'x509.txt', x509: { ...x509, keyFile: 'encrypted.pem' } },
    problems: [
      'connection.x509.keyFile: DIR/encrypted.pem: found an encrypted key; expected a passphraseFile beside it',
    ],
  },
  'an encrypted key with the passphrase of another': {
    connection: {
      connectionStringFile: 'x509.txt',
      x509: { ...x509, keyFile: 'encrypted.pem', passphraseFile: 'passphrase.txt' },
    },
    problems: [
      'connection.x509.keyFile: DIR/encrypted.pem: found a key that the passphrase does not open; expected the passphrase of this key',
    ],
  },
  'a token for another device': {
    connection: { connectionStringFile: 'bare.txt', sasTokenFile: 'token.txt' },
    files: { 'token.txt': tokenFor(`${host}/devices/pump-8`) },
    problems: [
      `connection.sasTokenFile: DIR/token.txt: found a token for "${host}/devices/pump-8"; expected one for "${host}/devices/pump-7"`,
    ],
  },
  'a token for another hub, in the connection string': {
    connection: { connectionStringFile: 'string.txt' },
    files: {
      'string.txt': `${device};SharedAccessSignature=${tokenFor('other-hub.azure-devices.net/devices/pump-7')}`,
    },
    problems: [
      `connection.connectionStringFile: DIR/string.txt: SharedAccessSignature: found a token for "other-hub.azure-devices.net/devices/pump-7"; expected one for "${host}/devices/pump-7"`,
    ],
  },
  'something that is no token': {
    connection: { connectionStringFile: 'bare.txt', sasTokenFile: 'key.txt' },
    problems: [
      'connection.sasTokenFile: DIR/key.txt: found something that is no SAS token; expected SharedAccessSignature sr=...&sig=...&se=...',
    ],
  },
  'a token that names no device, alone': {
    connection: { sasTokenFile: 'token.txt' },
    files: { 'token.txt': signSas(host, key, inAnHour, 'device') },
    problems: [
      'connection.sasTokenFile: DIR/token.txt: found a token that names no device; expected a connection string with HostName and DeviceId beside it',
    ],
  },
  'a token file beside a key': {
    connection: { connectionStringFile: 'string.txt', sasTokenFile: 'token.txt' },
    problems: [
      'connection.connectionStringFile: DIR/string.txt: found SharedAccessKey and connection.sasTokenFile; expected one of them',
    ],
  },
  'DPS without its ID scope': {
    connection: { dps: { registrationId: 'pump-7', symmetricKeyFile: 'key.txt' } },
    problems: ['connection.dps.idScope: is missing; expected it beside the others'],
  },
  'DPS without a proof, or with two': {
    connection: { dps: { ...dps, x509 } },
    problems: ['connection.dps: found an object; expected one of symmetricKeyFile and x509'],
  },
  'a module by DPS': {
    connection: { dps: { ...dps, moduleId: 'recorder' } },
    problems: [
      'connection.dps.moduleId: unknown key, expected one of endpoint, idScope, registrationId, symmetricKeyFile, x509',
    ],
  },
  'DPS beside a connection string, in words that it does not take': {
    connection: {
      connectionStringFile: 'string.txt',
      dps: { endpoint: 'mqtts://dps', idScope: '0ne 1', registrationId: '-', symmetricKeyFile: 'cert.pem' },
    },
    problems: [
      'found connection.dps and connection.connectionStringFile; expected one of them',
      'connection.dps.endpoint: found an address with a scheme; expected a host name alone, with :PORT if one is needed',
      'connection.dps.idScope: found no ID scope; expected letters and digits, such as 0ne00000000',
      'connection.dps.registrationId: found no registration id; expected up to 128 letters, digits and - . _ : within',
      `connection.dps.symmetricKeyFile: DIR/cert.pem: found ${pair!.cert.trim().length} characters that are no base64; expected base64, as the portal shows it`,
    ],
  },
  'DPS with a certificate of another registration': {
    connection: { dps: { idScope: dps.idScope, registrationId: 'pump-9', x509 } },
    problems: [
      'connection.dps.x509.certFile: DIR/cert.pem: found a certificate for "pump-7"; expected CN=pump-9, the registration id',
    ],
  },
  'half the environment of a module': {
    env: { IOTEDGE_DEVICEID: 'edge-1', IOTEDGE_MODULEID: 'recorder', IOTEDGE_AUTHSCHEME: 'sasToken' },
    problems: [
      'IOTEDGE_WORKLOADURI: is missing; expected what IoT Edge gives to a module',
      'IOTEDGE_IOTHUBHOSTNAME: is missing; expected what IoT Edge gives to a module',
      'IOTEDGE_MODULEGENERATIONID: is missing; expected what IoT Edge gives to a module',
    ],
  },
  'a workload API that is no unix socket': {
    env: { ...edge, IOTEDGE_WORKLOADURI: 'http://127.0.0.1:15581', IOTEDGE_AUTHSCHEME: 'x509' },
    problems: [
      'IOTEDGE_WORKLOADURI: found http:; expected unix:///PATH, a unix socket',
      'IOTEDGE_AUTHSCHEME: found another scheme; expected sasToken',
    ],
  },
}

/** No piece of a secret that is long enough to be of use. */
const pieces = (secret: string): string[] =>
  Array.from({ length: secret.length - 11 }, (_, at) => secret.slice(at, at + 12))
const signature = /sig=([^&]+)/.exec(own)?.[1] ?? ''
const secretPieces = [key, signature, pair!.key.split('\n')[1]!, 'something else entirely'].flatMap(pieces)

for (const [name, { problems, ...given }] of Object.entries(refused)) {
  t.test(`${name}: refused, with the field, what was found and what was expected`, async t => {
    const outcome = await load(t, given)
    t.strictSame(outcome, { problems })
    const text = JSON.stringify(outcome)
    t.strictSame(
      secretPieces.filter(piece => text.includes(piece)),
      [],
    )
  })
}

const taken: Readonly<Record<string, Case & Readonly<{ claims: Partial<Claims> }>>> = {
  'a byte order mark and CRLF': {
    connection: { connectionStringFile: 'windows.txt' },
    files: { 'windows.txt': `\uFEFF${device};SharedAccessKey=${key}\r\n` },
    claims: { kind: 'key', hub: host, deviceId: 'pump-7', moduleId: null },
  },
  'PEM files with CRLF': {
    connection: { connectionStringFile: 'x509.txt', x509 },
    files: { 'cert.pem': pair!.cert.replaceAll('\n', '\r\n'), 'key.pem': pair!.key.replaceAll('\n', '\r\n') },
    claims: { kind: 'x509', deviceId: 'pump-7' },
  },
  'a certificate that has ended, because the clock may be wrong': {
    connection: { connectionStringFile: 'x509.txt', x509 },
    files: { 'cert.pem': old!.cert, 'key.pem': old!.key },
    claims: { kind: 'x509', deviceId: 'pump-7' },
  },
  'a token that has ended, because the clock may be wrong': {
    connection: { connectionStringFile: 'bare.txt', sasTokenFile: 'token.txt' },
    files: { 'token.txt': tokenFor(`${host}/devices/pump-7`, 1_700_000_000) },
    claims: { kind: 'sas', deviceId: 'pump-7' },
  },
  'a token alone, which says whose it is': {
    connection: { sasTokenFile: 'token.txt' },
    files: { 'token.txt': tokenFor(`${host}/devices/pump-7/modules/recorder`) },
    claims: { kind: 'sas', hub: host, deviceId: 'pump-7', moduleId: 'recorder' },
  },
  'a token of a policy, with a connection string': {
    connection: { connectionStringFile: 'bare.txt', sasTokenFile: 'token.txt' },
    files: { 'token.txt': signSas(`${host}/devices`, key, inAnHour, 'device') },
    claims: { kind: 'sas', hub: host, deviceId: 'pump-7' },
  },
  'a connection string in the token file': {
    connection: { sasTokenFile: 'token.txt' },
    files: { 'token.txt': `${device};SharedAccessSignature=${own}` },
    claims: { kind: 'sas', hub: host, deviceId: 'pump-7' },
  },
  'a key by DPS, whose hub is not known yet': {
    connection: { dps },
    claims: { kind: 'key', hub: null, deviceId: 'pump-7', moduleId: null },
  },
  'a module of IoT Edge': {
    env: edge,
    claims: { kind: 'edge', hub: host, deviceId: 'edge-1', moduleId: 'recorder' },
  },
  'what is configured, in the environment of a module too': {
    connection: { connectionStringFile: 'string.txt' },
    env: edge,
    claims: { kind: 'key', hub: host, deviceId: 'pump-7', moduleId: null },
  },
}
for (const [name, { claims, ...given }] of Object.entries(taken)) {
  t.test(`${name}: taken`, async t => {
    t.match(await load(t, given), { claims })
  })
}
