import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  type Credential,
  CredentialError,
  loadCredential,
  parseConnectionString,
} from '../../transports/credentials.js'
import { createSecrets } from '../../transports/secrets.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='

const parse = (text: string): Credential => parseConnectionString(text, 'here', createSecrets())

const said = ({ client, deviceClient, fingerprint, ...plain }: Credential): object => plain

const problemsOf = (text: string): readonly string[] => {
  try {
    parse(text)
    return []
  } catch (error) {
    if (error instanceof CredentialError) return error.problems
    throw error
  }
}

t.test('a device', async t => {
  t.strictSame(said(parse(`HostName=my-hub.azure-devices.net;DeviceId=gateway-7;SharedAccessKey=${key}\n`)), {
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
    'part 5: expected Name=Value',
    'unknown field (expected HostName, DeviceId, ModuleId, SharedAccessKey, GatewayHostName)',
    'HostName: expected a host name, with a port from 1 to 65535 if one is needed',
    "DeviceId: expected 1 to 128 letters, digits or any of - . % _ * ? ! ( ) , : = @ $ '",
    'SharedAccessKey: expected base64, as the portal shows it',
  ])
  t.notOk(problems.join().includes(key.slice(5, 15)))
})

const wrong: Readonly<Record<string, readonly [text: string, problem: RegExp]>> = {
  'an empty text': ['', /is empty/],
  'no host': [`DeviceId=d;SharedAccessKey=${key}`, /^HostName: expected/],
  'no device': [`HostName=h;SharedAccessKey=${key}`, /^DeviceId: expected/],
  'no key': ['HostName=h;DeviceId=d', /^SharedAccessKey: is missing/],
  'a port out of range': [`HostName=h:70000;DeviceId=d;SharedAccessKey=${key}`, /^HostName: .*65535/],
  'a field given twice': [`HostName=h;HostName=i;DeviceId=d;SharedAccessKey=${key}`, /given twice/],
  "a service's string": [
    `HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`,
    /service's connection string/,
  ],
  'an X.509 device': ['HostName=h;DeviceId=d;x509=true', /X.509 is not supported/],
  'a ready-made token': [
    'HostName=h;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h',
    /token is not supported/,
  ],
  'an address where a host belongs': [`HostName=https://h/;DeviceId=d;SharedAccessKey=${key}`, /^HostName: expected/],
}
for (const [name, [text, problem]] of Object.entries(wrong)) {
  t.test(`${name} is refused with its place`, async t => {
    t.ok(
      problemsOf(text).some(line => problem.test(line)),
      problemsOf(text).join('\n'),
    )
  })
}

t.test('the environment wins over the file, the file over systemd', async t => {
  const dir = t.testdir({})
  const string = (device: string): string => `HostName=h;DeviceId=${device};SharedAccessKey=${key}`
  const file = join(dir, 'configured')
  await writeFile(file, string('from-file'))
  await writeFile(join(dir, 'connection-string'), string('from-systemd'))
  const load = async (file: string | null, env: NodeJS.ProcessEnv): Promise<string> =>
    (await loadCredential({ file, env }, createSecrets())).deviceId
  t.equal(await load(file, { HUBREC_CONNECTION_STRING: string('from-env'), CREDENTIALS_DIRECTORY: dir }), 'from-env')
  t.equal(await load(file, { CREDENTIALS_DIRECTORY: dir }), 'from-file')
  t.equal(await load(null, { CREDENTIALS_DIRECTORY: dir }), 'from-systemd')
})

t.test('no credential at all names the three places; an unreadable file its error', async t => {
  await t.rejects(loadCredential({ file: null, env: {} }, createSecrets()), {
    name: 'CredentialError',
    message: /no connection string: expected a file here, HUBREC_CONNECTION_STRING, or systemd's credential/,
  })
  await t.rejects(loadCredential({ file: '/does/not/exist', env: {} }, createSecrets()), {
    message: '/does/not/exist: cannot be read: ENOENT',
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
