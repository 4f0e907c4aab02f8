/** The configuration's schema: untrusted JSON becomes checked settings, or everything wrong with it is said at once. */
import { isIP } from 'node:net'
import * as v from 'valibot'
import { clouds } from '../../transports/clouds.js'
import { hostCommandNames } from '../bundle/collectors/host-commands.js'
import { isBelowRoot, isEdgeModuleName, isFilePattern, isFileRoot, isUnitName } from './collector-rules.js'

/** One thing that is wrong. `path` is the place as a person writes it, `connection.ports.mqtt`; empty for the whole. */
export type Problem = Readonly<{ path: string; said: string }>

/** A configuration before its paths are made absolute. `null` stands for what was not given. */
export type Settings = v.InferOutput<typeof settings>

/** Never repeats a value that might be a secret, wherever it was put by mistake. */
export function parseSettings(input: unknown): { settings: Settings } | { problems: readonly Problem[] } {
  const result = v.safeParse(settings, input)
  return result.success ? { settings: result.output } : { problems: result.issues.map(describe) }
}

/** One sentence for every value that is refused, instead of one for every rule it breaks. */
const check = <T>(allowed: (value: unknown) => boolean, expected: string) => v.custom<T>(allowed, expected)

const within = (value: unknown, min: number, max: number): value is number =>
  typeof value === 'number' && value >= min && value <= max

const whole = (min: number, max: number, standard: number) =>
  v.optional(
    check<number>(
      value => Number.isInteger(value) && within(value, min, max),
      `expected a whole number from ${min} to ${max}`,
    ),
    standard,
  )

const seconds = (min: number, max: number, standard: number) =>
  v.optional(
    check<number>(value => within(value, min, max), `expected seconds, a number from ${min} to ${max}`),
    standard,
  )

/** A key, a token or a PEM text that was put where its file's name belongs. */
const isSecret = (value: string): boolean =>
  /SharedAccess(Key|Signature)|(^|&)sig=|-----BEGIN/i.test(value) || /^[A-Za-z0-9+/]{20,}={1,2}$/.test(value)

const somePath = v.pipe(
  check<string>(value => typeof value === 'string' && value !== '' && !value.includes('\0'), 'expected a path'),
  v.check(
    value => !isSecret(value),
    'expected the path of a file, and not the secret itself; treat that secret as known to others',
  ),
)

const path = v.optional(v.nullable(somePath), null)

/** Names that JavaScript objects treat in a way of their own, and that valibot skips without a word. */
const reservedNames = ['__proto__', 'constructor', 'prototype']

const isObject = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !reservedNames.some(name => Object.hasOwn(value, name))

/** Not valibot's strictObject: it takes an array for an object, and stops at the first unknown key. */
function object<Entries extends v.ObjectEntries>(entries: Entries) {
  const known = v.objectWithRest(entries, v.never(`unknown key, expected one of ${Object.keys(entries).join(', ')}`))
  return v.pipe(check<v.InferInput<typeof known>>(isObject, 'expected an object'), known)
}

const list = (item: v.GenericSchema<unknown, string>) => v.optional(v.array(item, 'expected an array'), [])

const protocols = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws', 'auto'] as const
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const protocol = v.picklist(protocols, `expected one of ${protocols.join(', ')}`)

function isProxyUrl(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 2048 || !URL.canParse(value)) return false
  const { protocol, hostname, pathname, search, hash } = new URL(value)
  const isHttp = protocol === 'http:' || protocol === 'https:'
  return isHttp && hostname !== '' && pathname === '/' && search === '' && hash === ''
}

const proxy = v.optional(
  v.nullable(check<string>(isProxyUrl, 'expected http://HOST:PORT or https://HOST:PORT, without a path')),
  null,
)

/** Account and container: a container's own host has one segment, a host by address or `localhost` has both. */
const containerUrl = /^https:\/\/[^/?#@\\%*\s]+\/(?:[a-z0-9]+\/)?(?:[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web|\$logs)$/

function isContainer(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 2048 || !containerUrl.test(value) || !URL.canParse(value))
    return false
  const { href, hostname, pathname } = new URL(value)
  const byAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || hostname === 'localhost'
  return href === value && pathname.split('/').length === (byAddress ? 3 : 2)
}

const container = check<string>(
  isContainer,
  'expected https://ACCOUNT.blob.core.windows.net/CONTAINER: host and container in full and in lower case, no query, ' +
    'no credentials, no wildcard, no slash at the end',
)

const host = check<string>(
  value =>
    typeof value === 'string' &&
    (isIP(value) !== 0 || (value.length <= 253 && /^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$/.test(value))),
  'expected a host name in lower case or an address, without scheme, port or wildcard',
)

const day = 86_400

const timeouts = object({
  dns: seconds(0.1, 600, 10),
  tcp: seconds(0.1, 600, 10),
  tls: seconds(0.1, 600, 10),
  accept: seconds(0.1, 600, 10),
})

const retry = v.pipe(
  object({
    capSeconds: seconds(0.1, day, 60),
    refusedCapSeconds: seconds(0.1, day, 900),
    takeOverFloorSeconds: seconds(0, day, 120),
    takeOverCapSeconds: seconds(0.1, day, 900),
  }),
  v.check(
    ({ takeOverFloorSeconds, takeOverCapSeconds }) => takeOverFloorSeconds <= takeOverCapSeconds,
    'expected takeOverFloorSeconds to be at most takeOverCapSeconds',
  ),
)

const x509 = object({ certFile: somePath, keyFile: somePath, passphraseFile: path })

const word = (expected: string) =>
  check<string>(value => typeof value === 'string' && value !== '' && value.length <= 256, expected)

const dps = v.pipe(
  object({
    endpoint: v.optional(word('expected a host name'), clouds[0]!.provisioningHost),
    idScope: word("expected the service's ID scope, such as 0ne00000000"),
    registrationId: word('expected the registration id'),
    symmetricKeyFile: path,
    x509: v.optional(v.nullable(x509), null),
  }),
  v.check(
    ({ symmetricKeyFile, x509 }) => (symmetricKeyFile === null) !== (x509 === null),
    'expected one of symmetricKeyFile and x509',
  ),
)

const connectionFields = object({
  connectionStringFile: path,
  x509: v.optional(v.nullable(x509), null),
  sasTokenFile: path,
  dps: v.optional(v.nullable(dps), null),
  protocol: v.optional(protocol, 'mqtt'),
  proxy,
  proxyCredentialsFile: path,
  caFile: path,
  knownRootsFile: path,
  keepaliveSeconds: whole(3, 1177, 60),
  ports: v.optional(
    object({ mqtt: whole(1, 65_535, 8883), amqp: whole(1, 65_535, 5671), https: whole(1, 65_535, 443) }),
    {},
  ),
  timeoutSeconds: v.optional(timeouts, {}),
  sasLifetimeSeconds: whole(60, 365 * day, 3600),
  retry: v.optional(retry, {}),
})

const connection = v.pipe(
  connectionFields,
  v.forward(
    v.check(
      ({ protocol, proxy }) => proxy === null || (protocol !== 'mqtt' && protocol !== 'amqp'),
      'a proxy carries mqtt-ws and amqp-ws only; expected one of them as protocol, or auto',
    ),
    ['proxy'],
  ),
)

const isHostAndPort = (value: unknown): boolean => {
  const [, name = '', port] =
    (typeof value === 'string' && /^([a-z0-9._-]+|\[[0-9a-f:.]+\]):(\d{1,5})$/.exec(value)) || []
  return name !== '' && name.length <= 253 && URL.canParse(`http://${name}`) && within(Number(port), 1, 65_535)
}

function isPlainUrl(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 2048 || !URL.canParse(value)) return false
  const { protocol, username, password, search, hash } = new URL(value)
  return protocol === 'http:' && `${username}${password}${search}${hash}` === ''
}

const resolver = check<string>(value => {
  if (typeof value !== 'string') return false
  const [, address = '', port = '53'] =
    /^\[([0-9a-f:.]+)\]:(\d{1,5})$/.exec(value) ?? /^([0-9.]+):(\d{1,5})$/.exec(value) ?? []
  return isIP(value) !== 0 || (isIP(address) !== 0 && within(Number(port), 1, 65_535))
}, 'expected ADDRESS or ADDRESS:PORT')

const orNone = <T>(item: v.GenericSchema<unknown, T>, standard: T | null) => v.optional(v.nullable(item), standard)

const yesOrNo = (standard: boolean) => v.optional(v.boolean('expected true or false'), standard)

const probes = object({
  enabled: yesOrNo(true),
  controlHost: orNone(check<string>(isHostAndPort, 'expected HOST:PORT, the name in lower case'), null),
  controlName: orNone(host, 'www.msftconnecttest.com'),
  portalUrl: orNone(
    check<string>(isPlainUrl, 'expected an http:// URL without credentials and without a query'),
    'http://www.msftconnecttest.com/connecttest.txt',
  ),
  portalText: orNone(word('expected a text of 1 to 256 characters'), 'Microsoft Connect Test'),
  resolvers: orNone(
    v.pipe(
      v.array(resolver, 'expected an array'),
      v.check(all => all.length <= 4, 'expected at most 4'),
    ),
    null,
  ),
})

const few = <T>(item: v.GenericSchema<unknown, T>, max: number) =>
  v.optional(
    v.pipe(
      v.array(item, 'expected an array'),
      v.check(all => all.length <= max, `expected at most ${max}`),
    ),
    [],
  )

const command = v.picklist(hostCommandNames, `expected one of ${hostCommandNames.join(', ')}`)

const fileRoot = check<string>(
  isFileRoot,
  'expected the absolute path of a directory, without .. and without a slash at the end, outside /proc, /sys and /dev',
)

const collectors = v.pipe(
  object({
    journal: few(check<string>(isUnitName, 'expected the name of a unit, such as telemetry.service'), 32),
    files: few(check<string>(isFilePattern, 'expected an absolute path, without .., which may hold * and **'), 32),
    fileRoots: few(fileRoot, 32),
    edgeModules: few(check<string>(isEdgeModuleName, 'expected the name of a module, such as edgeHub'), 32),
    commands: few(command, hostCommandNames.length),
    timeLimitSeconds: seconds(0.1, 300, 10),
    bytesMax: whole(4_096, 1 << 24, 1 << 20),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const { files, fileRoots } = dataset.value
    files.forEach((pattern, at) => {
      if (isBelowRoot(pattern, fileRoots)) return
      const path: [v.ObjectPathItem, v.ArrayPathItem] = [
        { type: 'object', origin: 'value', input: dataset.value, key: 'files', value: files },
        { type: 'array', origin: 'value', input: files, key: at, value: pattern },
      ]
      addIssue({ message: 'expected a path below one of fileRoots', path })
    })
  }),
)

const settings = object({
  connection: v.optional(connection, {}),
  stateDir: path,
  controlSocket: path,
  ingestSocket: path,
  ring: v.optional(object({ budgetBytes: whole(262_144, 2 ** 40, 16_777_216) }), {}),
  samples: v.optional(object({ intervalSeconds: whole(1, day, 10) }), {}),
  probes: v.optional(probes, {}),
  twin: v.optional(object({ report: yesOrNo(true), desired: yesOrNo(true) }), {}),
  logLevel: v.optional(v.picklist(logLevels, `expected one of ${logLevels.join(', ')}`), 'info'),
  watch: v.pipe(
    list(host),
    v.check(hosts => hosts.length <= 8, 'expected at most 8 hosts'),
  ),
  bundle: v.optional(object({ bytesMax: whole(1 << 20, 2 ** 31, 32 << 20) }), {}),
  collectors: v.optional(collectors, {}),
  messages: v.optional(
    object({
      incidents: yesOrNo(false),
      heartbeatMinutes: orNone(
        check<number>(
          value => Number.isInteger(value) && within(value, 1, 1440),
          'expected a whole number from 1 to 1440, or null',
        ),
        null,
      ),
      dailyMax: whole(1, 100_000, 300),
    }),
    {},
  ),
  upload: v.optional(
    object({
      allowedContainers: list(container),
      privateHosts: list(host),
      quotaBytes: whole(1_048_576, 2 ** 40, 67_108_864),
      afterOutageMinutes: orNone(
        check<number>(value => within(value, 1, 10_080), 'expected minutes, a number from 1 to 10080, or null'),
        null,
      ),
    }),
    {},
  ),
})

function describe(issue: v.InferIssue<typeof settings>): Problem {
  const keys = issue.path?.map(item => item.key) ?? []
  const path = keys
    .map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at > 0 ? '.' : ''}${keyName(key)}`))
    .join('')
  // valibot's word for a key that has to be there.
  if (issue.type === 'object_with_rest') return { path, said: 'is missing; expected it beside the others' }
  // A rule about several settings is told at one of them.
  const input = issue.path ? issue.path.at(-1)?.value : issue.input
  const found = issue.type === 'never' ? '' : `found ${foundOf(input, path)}; `
  return { path, said: `${found}${issue.message}` }
}

/** The only places where a string is repeated: a choice from a list of words. */
const wordPlaces = /^(connection\.protocol|logLevel|collectors\.commands\[\d+\])$/

function foundOf(value: unknown, path: string): string {
  if (typeof value === 'string') {
    if (value === '') return 'an empty string'
    return wordPlaces.test(path) && /^[\w-]{1,16}$/.test(value) ? JSON.stringify(value) : 'a string'
  }
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** A key that is no plain word may be a secret that slipped to the left of the colon. */
const keyName = (key: unknown): string => {
  const name = String(key)
  return /^[\w.-]{1,32}$/.test(name) ? name : '(a key that is no name)'
}
