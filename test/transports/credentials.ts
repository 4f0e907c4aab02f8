import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  CredentialError,
  type CredentialSettings,
  loadCredential,
  parseConnectionString,
} from '../../transports/credentials.js'
import type { Identity } from '../../transports/identity.js'
import { createSecrets } from '../../transports/secrets.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='

const parse = (text: string): Identity => parseConnectionString(text, 'here', createSecrets())

const said = ({ client, deviceClient, options, fingerprint, tokenHolds, ...plain }: Identity): object => ({
  ...plain,
  // That it is there says that the key is ours to use.
  tokenHolds: tokenHolds?.() ?? null,
})

const problemsOf = (text: string): readonly string[] => {
  try {
    parse(text)
    return []
  } catch (error) {
    if (error instanceof CredentialError) return error.problems
    throw error
  }
}

const none: CredentialSettings = { connectionStringFile: null, x509: null, sasTokenFile: null, dps: null }

/** What is the same for all that sign in with a key. */
const byKey = {
  kind: 'key',
  renewal: 'ours',
  expiresAt: null,
  clientCertificate: null,
  trustBundle: null,
  warnings: [],
  tokenHolds: true,
  keyBytes: 32,
}

t.test('a device', async t => {
  t.strictSame(said(parse(`HostName=my-hub.azure-devices.net;DeviceId=gateway-7;SharedAccessKey=${key}\n`)), {
    ...byKey,
    hub: 'my-hub.azure-devices.net',
    hubHost: 'my-hub.azure-devices.net',
    host: 'my-hub.azure-devices.net',
    port: null,
    gateway: false,
    deviceId: 'gateway-7',
    moduleId: null,
  })
})

t.test('a module behind a gateway, with a port', async t => {
  const text = `HostName=my-hub.azure-devices.net;DeviceId=gateway-7;ModuleId=hubrec;SharedAccessKey=${key};GatewayHostName=edge:8884`
  t.strictSame(said(parse(text)), {
    ...byKey,
    hub: 'my-hub.azure-devices.net',
    hubHost: 'my-hub.azure-devices.net',
    host: 'edge',
    port: 8884,
    gateway: true,
    deviceId: 'gateway-7',
    moduleId: 'hubrec',
  })
})

t.test('all that is wrong is said at once, and nothing of the secret', async t => {
  const problems = problemsOf(
    `HostName=my hub;DeviceId=a b;SharedAccessKey=${key.slice(1)};Colour=red;${key.slice(0, 20)}`,
  )
  t.strictSame(problems, [
    'here: part 5: found no name; expected Name=Value',
    'here: found an unknown field; expected HostName, DeviceId, ModuleId, SharedAccessKey, SharedAccessSignature, x509, GatewayHostName',
    'here: HostName: found a space in it; expected a host name alone, with :PORT if one is needed',
    "here: DeviceId: found a space in it; expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '",
    'here: SharedAccessKey: found 43 characters that are no base64; expected base64, as the portal shows it',
  ])
  t.notOk(problems.join().includes(key.slice(5, 15)))
})

t.test('the environment wins over the file, the file over systemd', async t => {
  const dir = t.testdir({})
  const string = (device: string): string => `HostName=h;DeviceId=${device};SharedAccessKey=${key}`
  const file = join(dir, 'configured')
  await writeFile(file, string('from-file'))
  await writeFile(join(dir, 'connection-string'), string('from-systemd'))
  const load = async (file: string | null, env: NodeJS.ProcessEnv): Promise<string> =>
    (await loadCredential({ settings: { ...none, connectionStringFile: file }, env }, createSecrets())).claims.deviceId
  t.equal(await load(file, { HUBREC_CONNECTION_STRING: string('from-env'), CREDENTIALS_DIRECTORY: dir }), 'from-env')
  t.equal(await load(file, { CREDENTIALS_DIRECTORY: dir }), 'from-file')
  t.equal(await load(null, { CREDENTIALS_DIRECTORY: dir }), 'from-systemd')
})

t.test('no credential at all names all places; an unreadable file its error', async t => {
  await t.rejects(loadCredential({ settings: none, env: {} }, createSecrets()), {
    name: 'CredentialError',
    message: /found no credential; expected connectionStringFile, .*HUBREC_CONNECTION_STRING, systemd's credential/,
  })
  const settings = { ...none, connectionStringFile: '/does/not/exist' }
  await t.rejects(loadCredential({ settings, env: {} }, createSecrets()), {
    message:
      'connection.connectionStringFile: /does/not/exist: cannot be read: ENOENT; expected HostName=...;DeviceId=...',
  })
})

t.test('the secret is known for removal before anything else can see it, also when it is refused', async t => {
  const secrets = createSecrets()
  t.throws(() => parseConnectionString(`HostName=;DeviceId=d;SharedAccessKey=${key}`, 'here', secrets))
  t.strictSame(secrets.scrub(key).text, '[removed:shared-access-key]')
})

t.test('a new key has another fingerprint, which holds nothing of it', async t => {
  const one = parse(`HostName=h;DeviceId=d;SharedAccessKey=${key}`).fingerprint
  const other = parse(`HostName=h;DeviceId=d;SharedAccessKey=${key.replace('q', 'r')}`).fingerprint
  t.not(one, other)
  t.match(one, /^[0-9a-f]{8}$/)
})
