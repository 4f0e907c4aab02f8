/** The configuration as an operator meets it: real files, the environment, and what is said about mistakes. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Config } from '../../agent/config/config.js'
import { type ConfigSource, loadConfig } from '../../agent/config/load.js'
import { AgentError } from '../../agent/errors.js'

const defaults: Config = {
  connection: {
    connectionStringFile: null,
    x509: null,
    sasTokenFile: null,
    dps: null,
    protocol: 'mqtt',
    proxy: null,
    proxyCredentialsFile: null,
    caFile: null,
    knownRootsFile: null,
    keepaliveSeconds: 60,
    ports: { mqtt: 8883, amqp: 5671, https: 443 },
    timeoutSeconds: { dns: 10, tcp: 10, tls: 10, accept: 10 },
    sasLifetimeSeconds: 3600,
    retry: { capSeconds: 60, refusedCapSeconds: 900, takeOverFloorSeconds: 120, takeOverCapSeconds: 900 },
  },
  stateDir: '/var/lib/hubrec',
  controlSocket: '/run/hubrec/control.sock',
  ingestSocket: '/run/hubrec/ingest.sock',
  ring: { budgetBytes: 16_777_216 },
  samples: { intervalSeconds: 10 },
  probes: {
    enabled: true,
    controlHost: null,
    controlName: 'www.msftconnecttest.com',
    portalUrl: 'http://www.msftconnecttest.com/connecttest.txt',
    portalText: 'Microsoft Connect Test',
    resolvers: null,
  },
  twin: { report: true, desired: true },
  logLevel: 'info',
  watch: [],
  bundle: { bytesMax: 33_554_432 },
  collectors: {
    journal: [],
    files: [],
    fileRoots: [],
    edgeModules: [],
    commands: [],
    timeLimitSeconds: 10,
    bytesMax: 1_048_576,
  },
  messages: { incidents: false, heartbeatMinutes: null, dailyMax: 300 },
  upload: { allowedContainers: [], privateHosts: [], quotaBytes: 67_108_864, afterOutageMinutes: null },
}

const key = 'c2VjcmV0K2tleS9vZitodWJyZWMvd2l0aCtwbHVzZXM9PQ=='
const connectionString = `HostName=hub.azure-devices.net;DeviceId=pump-7;SharedAccessKey=${key}`

/** A configuration file of its own directory; text is written as it is. */
function write(t: Test, content: unknown): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  return join(t.testdir({ 'config.json': text }), 'config.json')
}

const load = (t: Test, content: unknown, env: NodeJS.ProcessEnv = {}, stateDir?: string) =>
  loadConfig({ file: write(t, content), env, stateDir })

/** What the operator is told; the test fails when the configuration is accepted. */
async function refused(source: ConfigSource): Promise<AgentError> {
  try {
    await loadConfig(source)
  } catch (error) {
    if (error instanceof AgentError && error.code === 'CONFIG_INVALID') return error
    throw error
  }
  throw new Error('the configuration was accepted')
}

const problems = async (t: Test, content: unknown, env: NodeJS.ProcessEnv = {}) =>
  (await refused({ file: write(t, content), env })).problems

t.test('without a file and without an environment the defaults hold', async t => {
  const defaultFile = join(t.testdir(), 'config.json')
  t.strictSame(await loadConfig({ env: {}, defaultFile }), { config: defaults, file: null })
})

t.test('an empty object is the defaults too, and says where it came from', async t => {
  const file = write(t, {})
  t.strictSame(await loadConfig({ file, env: {} }), { config: defaults, file })
})

t.test('the shipped example says the defaults and where systemd puts the secret', async t => {
  const file = resolve('deploy/config.example.json')
  const { config } = await loadConfig({ file, env: {} })
  const connectionStringFile = '/run/credentials/hubrec.service/connection-string'
  t.strictSame(config, { ...defaults, connection: { ...defaults.connection, connectionStringFile } })
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), config, 'it leaves no key out')
})

t.test('--config comes before $HUBREC_CONFIG, and that before the standard file', async t => {
  const dir = t.testdir({
    'a.json': '{"logLevel":"trace"}',
    'b.json': '{"logLevel":"debug"}',
    'c.json': '{"logLevel":"warn"}',
  })
  const [a, b, c] = ['a', 'b', 'c'].map(name => join(dir, `${name}.json`))
  const env = { HUBREC_CONFIG: b }
  const levels = await Promise.all(
    [
      { file: a, env, defaultFile: c! },
      { env, defaultFile: c! },
      { env: {}, defaultFile: c! },
    ].map(async source => {
      const { config, file } = await loadConfig(source)
      return [config.logLevel, file]
    }),
  )
  t.strictSame(levels, [
    ['trace', a],
    ['debug', b],
    ['warn', c],
  ])
})

t.test('where probes go is checked, each by its own rule', async t => {
  const good = {
    controlHost: '[fe80::1]:443',
    controlName: 'plant.example',
    portalUrl: 'http://check.example:8080/ok',
    portalText: null,
    resolvers: ['10.0.0.1', '10.0.0.1:5353', 'fe80::1', '[fe80::1]:53'],
  }
  const { config } = await load(t, { probes: good })
  t.strictSame(config.probes, { enabled: true, ...good })
  const bad = {
    enabled: 'yes',
    controlHost: 'control.example',
    controlName: 'https://plant.example',
    portalUrl: 'http://user:secret@check.example/',
    portalText: '',
    resolvers: ['dns.example', '10.0.0.1:0', '10.0.0.1:99999'],
  }
  const resolver = 'found a string; expected ADDRESS or ADDRESS:PORT'
  t.strictSame(await problems(t, { probes: bad }), [
    'probes.enabled: found a string; expected true or false',
    'probes.controlHost: found a string; expected HOST:PORT, the name in lower case',
    'probes.controlName: found a string; expected a host name in lower case or an address, without scheme, port or wildcard',
    'probes.portalUrl: found a string; expected an http:// URL without credentials and without a query',
    'probes.portalText: found an empty string; expected a text of 1 to 256 characters',
    `probes.resolvers[0]: ${resolver}`,
    `probes.resolvers[1]: ${resolver}`,
    `probes.resolvers[2]: ${resolver}`,
  ])
})

t.test('a named file that cannot be read is an error, whoever named it', async t => {
  const dir = t.testdir()
  const missing = join(dir, 'gone.json')
  t.strictSame((await refused({ file: missing, env: {} })).problems, ['cannot be read (ENOENT); expected a JSON file'])
  const error = await refused({ env: { HUBREC_CONFIG: missing } })
  t.equal(error.message, `CONFIG_INVALID: a problem in ${missing}`)
  t.ok(error.users)
  t.strictSame((await refused({ file: dir, env: {} })).problems, ['cannot be read (EISDIR); expected a JSON file'])
  t.strictSame((await refused({ env: {}, defaultFile: dir })).problems, [
    'cannot be read (EISDIR); expected a JSON file',
  ])
})

t.test('a file larger than a configuration can be is not read to its end', async t => {
  t.strictSame((await refused({ file: '/dev/zero', env: {} })).problems, [
    'found a longer file; expected at most 1048576 bytes',
  ])
})

t.test('a pipe serves as a file', async t => {
  const module = fileURLToPath(new URL('../../agent/config/load.js', import.meta.url))
  const script = `import(${JSON.stringify(module)}).then(async ({ loadConfig }) => {
    const { config } = await loadConfig({ file: process.argv[1], env: {} })
    console.log(config.logLevel)
  })`
  const run = spawnSync(
    'bash',
    ['-c', `"$0" -e "$1" <(echo '{"logLevel":'; sleep 0.05; echo '"fatal"}')`, process.execPath, script],
    { encoding: 'utf8' },
  )
  t.strictSame([run.stdout, run.stderr], ['fatal\n', ''])
})

t.test('relative paths are relative to the file, those of the environment to the working directory', async t => {
  // The path of a socket may have 107 bytes, and those of the runner have more.
  const dir = mkdtempSync(join(tmpdir(), 'config-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'config.json')
  const content = {
    connection: { connectionStringFile: 'secret', caFile: '../ca.pem', knownRootsFile: '/roots.pem' },
    stateDir: 'state',
    controlSocket: 'run/control.sock',
  }
  writeFileSync(file, JSON.stringify(content))
  const { config } = await loadConfig({ file, env: { HUBREC_CA_FILE: 'ca/ours.pem' } })
  t.strictSame(config, {
    ...defaults,
    connection: {
      ...defaults.connection,
      connectionStringFile: join(dir, 'secret'),
      caFile: resolve('ca/ours.pem'),
      knownRootsFile: '/roots.pem',
    },
    stateDir: join(dir, 'state'),
    controlSocket: join(dir, 'run/control.sock'),
    ingestSocket: join(dir, 'state/ingest.sock'),
  })
})

t.test('with a state directory and no sockets given, the sockets lie in it', async t => {
  const places = async (content: unknown, env: NodeJS.ProcessEnv = {}, stateDir?: string) => {
    const { config } = await load(t, content, env, stateDir)
    return [config.stateDir, config.controlSocket, config.ingestSocket]
  }
  const at = (dir: string) => [dir, join(dir, 'control.sock'), join(dir, 'ingest.sock')]
  t.strictSame(await places({ stateDir: '/a' }), at('/a'))
  t.strictSame(await places({ stateDir: '/a' }, { HUBREC_STATE_DIR: '/b' }), at('/b'))
  t.strictSame(await places({ stateDir: '/a' }, { HUBREC_STATE_DIR: '/b' }, 'c'), at(resolve('c')))
  t.strictSame(await places({ stateDir: '/var/lib/hubrec' }), at('/var/lib/hubrec'))
  t.strictSame(await places({ stateDir: '/a', controlSocket: '/x', ingestSocket: '/y' }, {}, '/d'), ['/d', '/x', '/y'])
})

t.test('a socket whose path the kernel has no room for is refused, and so are two sockets of one path', async t => {
  const longest = `/${'d'.repeat(107 - '/control.sock'.length - 1)}`
  const { config } = await load(t, { stateDir: longest })
  t.equal(Buffer.byteLength(config.controlSocket), 107)
  const problems = async (content: unknown) => (await refused({ file: write(t, content), env: {} })).problems
  const tooLong = (bytes: number) => `found a path of ${bytes} bytes`
  t.strictSame(await problems({ stateDir: `${longest}d` }), [
    `stateDir: ${tooLong(108)} for control.sock in it; a socket's has at most 107: expected a shorter one, or controlSocket elsewhere`,
  ])
  const read = await load(t, {}, {}, `${longest}/a copy of it`)
  t.equal(read.config.stateDir, `${longest}/a copy of it`, 'a directory that is only read may lie as deep as it does')
  const umlauts = `/${'ä'.repeat(54)}`
  t.strictSame(await problems({ controlSocket: umlauts, ingestSocket: umlauts }), [
    `controlSocket: ${tooLong(109)}; a socket's has at most 107: expected a shorter one`,
    `ingestSocket: ${tooLong(109)}; a socket's has at most 107: expected a shorter one`,
    'ingestSocket: found the path of controlSocket; expected another one',
  ])
  t.strictSame(await problems({ controlSocket: '/run/x/../hubrec.sock', ingestSocket: '/run/hubrec.sock' }), [
    'ingestSocket: found the path of controlSocket; expected another one',
  ])
})

t.test('the environment wins over the file, also where the file is wrong', async t => {
  const env = {
    HUBREC_PROTOCOL: 'mqtt',
    HUBREC_CA_FILE: '/ca.pem',
    HUBREC_STATE_DIR: '/state',
    HUBREC_LOG_LEVEL: 'error',
    HUBREC_CONNECTION_STRING: connectionString,
  }
  const { config } = await load(t, { connection: { protocol: 'amqp' }, stateDir: 1, logLevel: 'loud' }, env)
  t.strictSame(config, {
    ...defaults,
    connection: { ...defaults.connection, caFile: '/ca.pem' },
    stateDir: '/state',
    controlSocket: '/state/control.sock',
    ingestSocket: '/state/ingest.sock',
    logLevel: 'error',
  })
})

t.test('an empty variable counts as not set', async t => {
  const env = { HUBREC_CONFIG: '', HUBREC_PROTOCOL: '', HUBREC_CA_FILE: '', HUBREC_STATE_DIR: '', HUBREC_LOG_LEVEL: '' }
  const { config } = await loadConfig({ env, defaultFile: write(t, {}) })
  t.strictSame(config, defaults)
})

t.test('all problems are said at once, each with its place', async t => {
  const content = {
    connection: {
      keepaliveSeconds: 2,
      keepAliveSeconds: 60,
      protocol: 'http',
      ports: { mqtt: 0, amqp: 65_536, https: '443' },
      timeoutSeconds: { dns: 0, tcp: null, connect: 5 },
      sasLifetimeSeconds: 59,
      retry: { capSeconds: -1, takeOverFloorSeconds: 10, takeOverCapSeconds: 5 },
    },
    ring: { budgetBytes: 262_143 },
    samples: { intervalSeconds: 0.5 },
    logLevel: 'loud',
    upload: { allowedContainers: 'https://a.blob.core.windows.net/c', privateHosts: ['*'] },
    colour: 'blue',
  }
  const env = { HUBREC_PROTOCOL: 'coap', HUBREC_LOG_LEVEL: 'verbose' }
  const error = await refused({ file: write(t, content), env })
  t.match(error.message, /^CONFIG_INVALID: 17 problems in the configuration \(.*config\.json\)$/)
  t.strictSame(error.problems, [
    'HUBREC_PROTOCOL: found "coap"; expected one of mqtt, mqtt-ws, amqp, amqp-ws, auto',
    'connection.keepaliveSeconds: found 2; expected a whole number from 3 to 1177',
    'connection.ports.mqtt: found 0; expected a whole number from 1 to 65535',
    'connection.ports.amqp: found 65536; expected a whole number from 1 to 65535',
    'connection.ports.https: found a string; expected a whole number from 1 to 65535',
    'connection.timeoutSeconds.dns: found 0; expected seconds, a number from 0.1 to 600',
    'connection.timeoutSeconds.tcp: found null; expected seconds, a number from 0.1 to 600',
    'connection.timeoutSeconds.connect: unknown key, expected one of dns, tcp, tls, accept',
    'connection.sasLifetimeSeconds: found 59; expected a whole number from 60 to 31536000',
    'connection.retry.capSeconds: found -1; expected seconds, a number from 0.1 to 86400',
    'connection.keepAliveSeconds: unknown key, expected one of connectionStringFile, x509, sasTokenFile, dps, protocol, proxy, proxyCredentialsFile, caFile, knownRootsFile, keepaliveSeconds, ports, timeoutSeconds, sasLifetimeSeconds, retry',
    'ring.budgetBytes: found 262143; expected a whole number from 262144 to 1099511627776',
    'samples.intervalSeconds: found 0.5; expected a whole number from 1 to 86400',
    'HUBREC_LOG_LEVEL: found "verbose"; expected one of trace, debug, info, warn, error, fatal, silent',
    'upload.allowedContainers: found a string; expected an array',
    'upload.privateHosts[0]: found a string; expected a host name in lower case or an address, without scheme, port or wildcard',
    'colour: unknown key, expected one of connection, stateDir, controlSocket, ingestSocket, ring, samples, probes, twin, logLevel, watch, bundle, collectors, messages, upload',
  ])
})

t.test('what is collected is named in full: units, commands of the list, files below roots that are files', async t => {
  const collectors = {
    journal: ['telemetry.service', 'getty@tty1.service'],
    files: ['/var/log/app/**/*.log', '/srv/data/state.json'],
    fileRoots: ['/var/log', '/srv/data'],
    edgeModules: ['edgeHub', 'my_module-1.2'],
    commands: ['ip-route', 'kernel-log'],
    timeLimitSeconds: 2,
    bytesMax: 65_536,
  }
  t.strictSame((await load(t, { collectors })).config.collectors, collectors)

  const root =
    'expected the absolute path of a directory, without .. and without a slash at the end, outside /proc, /sys and /dev'
  const found = await problems(t, {
    collectors: {
      journal: ['--file=/etc/shadow', 'a b'],
      files: ['/etc/shadow', 'log/*', '/var/log/../../etc/shadow', '/var/log', '/var/logs/x', '/var/log/ok'],
      fileRoots: ['/var/log', '/', '/proc', '/sys/kernel', '/var/', '/a/./b'],
      edgeModules: ['--help', 'a/b'],
      commands: ['reboot', 'ip addr; reboot'],
      timeLimitSeconds: 0,
      bytesMax: 1,
    },
  })
  t.strictSame(
    found.filter(line => !line.startsWith('collectors.commands')),
    [
      'collectors.journal[0]: found a string; expected the name of a unit, such as telemetry.service',
      'collectors.journal[1]: found a string; expected the name of a unit, such as telemetry.service',
      'collectors.files[1]: found a string; expected an absolute path, without .., which may hold * and **',
      'collectors.files[2]: found a string; expected an absolute path, without .., which may hold * and **',
      ...[1, 2, 3, 4, 5].map(at => `collectors.fileRoots[${at}]: found a string; ${root}`),
      'collectors.edgeModules[0]: found a string; expected the name of a module, such as edgeHub',
      'collectors.edgeModules[1]: found a string; expected the name of a module, such as edgeHub',
      'collectors.timeLimitSeconds: found 0; expected seconds, a number from 0.1 to 300',
      'collectors.bytesMax: found 1; expected a whole number from 4096 to 16777216',
    ],
  )
  t.match(
    found.filter(line => line.startsWith('collectors.commands')),
    [/^collectors.commands\[0\]: found "reboot"; expected one of ip-address, /],
  )
  const outside = { files: ['/etc/shadow', '/var/log', '/var/logs/x', '/var/log/ok'], fileRoots: ['/var/log'] }
  t.strictSame(
    await problems(t, { collectors: outside }),
    [0, 1, 2].map(at => `collectors.files[${at}]: found a string; expected a path below one of fileRoots`),
  )
})

t.test('the limits themselves are accepted', async t => {
  const connection = (keepaliveSeconds: number) => ({
    keepaliveSeconds,
    sasLifetimeSeconds: 60,
    timeoutSeconds: { dns: 0.1, tcp: 600 },
    retry: { takeOverFloorSeconds: 5, takeOverCapSeconds: 5 },
  })
  const content = { ring: { budgetBytes: 262_144 }, samples: { intervalSeconds: 1 } }
  const lowest = await load(t, { ...content, connection: connection(3) })
  const highest = await load(t, { ...content, connection: connection(1177) })
  t.strictSame(
    [lowest.config.connection.keepaliveSeconds, highest.config.connection.keepaliveSeconds, lowest.config.ring],
    [3, 1177, { budgetBytes: 262_144 }],
  )
})

t.test('a floor above its cap is refused', async t => {
  t.strictSame(await problems(t, { connection: { retry: { takeOverFloorSeconds: 901 } } }), [
    'connection.retry: found an object; expected takeOverFloorSeconds to be at most takeOverCapSeconds',
  ])
})

t.test('all four protocols are spoken, and auto chooses among them', async t => {
  for (const protocol of ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws', 'auto'] as const) {
    const { config } = await load(t, {}, { HUBREC_PROTOCOL: protocol })
    t.equal(config.connection.protocol, protocol)
  }
})

t.test('a proxy is a URL of http or https, and of no use to the protocols that have ports of their own', async t => {
  const proxy = 'http://user:geheim123@proxy.example:3128'
  const { config } = await load(t, {
    connection: { protocol: 'auto', proxy, proxyCredentialsFile: 'proxy-credentials' },
  })
  t.equal(config.connection.proxy, proxy)
  t.match(config.connection.proxyCredentialsFile, /^\/.*\/proxy-credentials$/)
  for (const protocol of ['mqtt', 'amqp']) {
    t.strictSame(await problems(t, { connection: { protocol, proxy } }), [
      'connection.proxy: found a string; a proxy carries mqtt-ws and amqp-ws only; expected one of them as protocol, or auto',
    ])
  }
  const expected = 'expected http://HOST:PORT or https://HOST:PORT, without a path'
  for (const wrong of ['proxy:3128', 'socks5://proxy:1080', 'http://proxy/path', 'http://proxy/?x=geheim123', 8080]) {
    const found = typeof wrong === 'number' ? wrong : 'a string'
    t.strictSame(await problems(t, { connection: { protocol: 'mqtt-ws', proxy: wrong } }), [
      `connection.proxy: found ${found}; ${expected}`,
    ])
  }
})

t.test('an array is no object, and neither is null', async t => {
  t.strictSame(await problems(t, []), ['found an array; expected an object'])
  t.strictSame(await problems(t, { connection: [], ring: null }), [
    'connection: found an array; expected an object',
    'ring: found null; expected an object',
  ])
  t.strictSame(await problems(t, '"x"'), ['found a string; expected an object'])
})

t.test('names that JavaScript reserves do not slip through', async t => {
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    t.strictSame(await problems(t, `{"ring":{"${name}":{"budgetBytes":1}}}`), [
      'ring: found an object; expected an object',
    ])
  }
  t.strictSame(await problems(t, { ring: { toString: 1 } }), [
    'ring.toString: unknown key, expected one of budgetBytes',
  ])
})

t.test('a secret in a wrong place is refused and not repeated', async t => {
  const url = `https://a.blob.core.windows.net/c?sv=2021&sig=${encodeURIComponent(key)}`
  const content = {
    [connectionString]: 1,
    connection: { connectionStringFile: connectionString, protocol: key, caFile: `${connectionString}\0`, key },
    stateDir: { path: connectionString },
    logLevel: connectionString,
    upload: { allowedContainers: [url, `https://user:${key}@a.blob.core.windows.net/c`], privateHosts: [key] },
  }
  const error = await refused({ file: write(t, content), env: { HUBREC_CA_FILE: connectionString } })
  const said = JSON.stringify([error.message, error.problems])
  t.equal(error.problems.length, 10, said)
  t.notOk(said.includes(key) || said.includes(encodeURIComponent(key)) || said.includes('HostName'), said)
  t.ok(
    error.problems.includes(
      'connection.connectionStringFile: found a string; expected the path of a file, and not the secret itself; ' +
        'treat that secret as known to others',
    ),
  )
})

t.test('what is no JSON is said with line and column, and without its text', async t => {
  const mistakes = [
    ['', '1:1 expected a value'],
    ['{"logLevel": "info",\n  "stateDir": "/a",\n}', '3:1 expected a key in double quotes'],
    ['{\n  // a comment\n}', '2:3 expected a key in double quotes or "}"'],
    ['{"a": abc}', '1:7 expected a value'],
    ['{"a" 1}', '1:6 expected ":"'],
    ['{"a": 1 "b": 2}', '1:9 expected "," or the closing bracket'],
    ['{"a": [1, 2}', '1:12 expected "," or the closing bracket'],
    ['{"a": "one\ntwo"}', '1:7 expected a value'],
    ['{"a": 01}', '1:8 expected "," or the closing bracket'],
    ["{'a': 1}", '1:2 expected a key in double quotes or "}"'],
    ['{"a": 1}}', '1:9 expected nothing more'],
    ['[1,]', '1:4 expected a value'],
    ['{"a": 1', '1:8 expected "," or the closing bracket'],
    ['{,}', '1:2 expected a key in double quotes or "}"'],
    ['{"a": }', '1:7 expected a value'],
    [`{"SharedAccessKey": ${key}}`, '1:21 expected a value'],
  ] as const
  for (const [text, expected] of mistakes) {
    const [line, column] = expected.split(/[: ]/)
    const rest = expected.slice(expected.indexOf(' ') + 1)
    t.strictSame(await problems(t, text), [`line ${line}, column ${column}: not JSON; ${rest}`], text)
  }
})

t.test('a byte order mark, as Windows editors leave it, is no mistake', async t => {
  const { config } = await load(t, '\uFEFF{"logLevel":"warn"}')
  t.equal(config.logLevel, 'warn')
})

t.test('a container is named exactly or not at all', async t => {
  const accepts = async (url: string) => {
    const file = write(t, { upload: { allowedContainers: [url] } })
    return loadConfig({ file, env: {} }).then(
      ({ config }) => config.upload.allowedContainers[0] === url,
      error => {
        if (error instanceof AgentError) return false
        throw error
      },
    )
  }
  const good = [
    'https://account.blob.core.windows.net/container',
    'https://account.blob.core.usgovcloudapi.net/support-bundles',
    'https://account.blob.core.chinacloudapi.cn/$root',
    'https://127.0.0.1:10000/devstoreaccount1/bundles',
    'https://localhost:10000/devstoreaccount1/bundles',
    'https://[::1]:10000/devstoreaccount1/bundles',
  ]
  const bad = [
    'http://account.blob.core.windows.net/container',
    'https://account.blob.core.windows.net',
    'https://account.blob.core.windows.net/',
    'https://account.blob.core.windows.net/container/',
    'https://account.blob.core.windows.net/container/folder',
    'https://account.blob.core.windows.net/Container',
    'https://account.blob.core.windows.net/container?sv=1',
    'https://account.blob.core.windows.net/container?',
    'https://account.blob.core.windows.net/container#x',
    'https://account.blob.core.windows.net/../container',
    'https://account.blob.core.windows.net\\container',
    'https://account.blob.core.windows.net/con%74ainer',
    'https://user@account.blob.core.windows.net/container',
    'https://user:pass@account.blob.core.windows.net/container',
    'https://*.blob.core.windows.net/container',
    'https://account.blob.core.windows.net/*',
    'https://account.blob.core.windows.net:443/container',
    'https://127.0.0.1:10000/bundles',
    'https://0x7f.1/devstoreaccount1/bundles',
    ' https://account.blob.core.windows.net/container',
    'https://account.blob.core.windows.net/container\n',
    'account.blob.core.windows.net/container',
    '*',
    '',
  ]
  const accepted = async (urls: string[]) => {
    const found: string[] = []
    for (const url of urls) if (await accepts(url)) found.push(url)
    return found
  }
  t.strictSame(await accepted([...good, ...bad]), good)
})

t.test('private hosts are names or addresses', async t => {
  const privateHosts = ['storage.plant.local', 'localhost', '10.0.0.7', 'fd00::7']
  t.strictSame((await load(t, { upload: { privateHosts } })).config.upload.privateHosts, privateHosts)
  for (const host of ['https://a', 'a:443', '*.local', 'A', '', 'a b', 7]) {
    t.equal((await problems(t, { upload: { privateHosts: [host] } })).length, 1, String(host))
  }
})
