import { readFileSync } from 'node:fs'
import t from 'tap'
import { bundle } from '../../deploy/package/bundle.js'

type Locked = Readonly<{ version?: string; dev?: boolean; resolved?: string; hasInstallScript?: boolean }>

const { packages }: { packages: Record<string, Locked> } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const installed = Object.entries(packages).flatMap(([path, { version = '', ...locked }]) =>
  path === '' ? [] : [{ path, name: path.replace(/^.*node_modules\//, ''), version, ...locked }],
)

/** The first versions without a weakness that is published, for each line that is still in use. */
const minimums: Readonly<Record<string, readonly string[]>> = {
  ws: ['6.2.5', '7.5.12', '8.21.1'],
  xml2js: ['0.5.0'],
  'tough-cookie': ['4.1.3'],
  'form-data': ['2.5.4', '3.0.4', '4.0.4'],
  'node-fetch': ['2.6.7'],
  systeminformation: ['5.31.7'],
}
/** What is wanted of the bundle alone: there it is replaced. */
const ofBundle = { ...minimums, uuid: ['11.1.1'] }

const numbers = (version: string): number[] => version.split('.').map(part => Number.parseInt(part, 10))

/** Newer lines than those that are known have none of their weaknesses. */
function isSound(version: string, lines: readonly string[]): boolean {
  const [major = 0, minor = 0, patch = 0] = numbers(version)
  const line = lines.map(numbers).find(([ofLine]) => ofLine === major)
  if (!line) return lines.every(each => numbers(each)[0]! < major)
  const [, leastMinor = 0, leastPatch = 0] = line
  return minor > leastMinor || (minor === leastMinor && patch >= leastPatch)
}

t.test('a version is sound from the first one of its line that was mended', async t => {
  const lines = ['6.2.5', '8.21.1']
  const told = ['6.2.4', '6.2.5', '6.3.0', '7.9.9', '8.3.9', '8.21.0', '8.21.1', '9.0.0', '5.9.9'].map(each => [
    each,
    isSound(each, lines),
  ])
  t.strictSame(Object.fromEntries(told), {
    '6.2.4': false,
    '6.2.5': true,
    '6.3.0': true,
    '7.9.9': false,
    '8.3.9': false,
    '8.21.0': false,
    '8.21.1': true,
    '9.0.0': true,
    '5.9.9': false,
  })
})

t.test('no dependency of the daemon is older than its first sound version', async t => {
  const watched = installed.filter(({ name, dev }) => !dev && minimums[name])
  t.ok(
    ['ws', 'systeminformation'].every(name => watched.some(each => each.name === name)),
    'the lockfile is read',
  )
  t.strictSame(
    watched
      .filter(({ name, version }) => !isSound(version, minimums[name]!))
      .map(each => `${each.path} ${each.version}`),
    [],
  )
})

t.test(
  'what is bundled is sound, needs no script at its installation, and leaves out what is never called',
  async t => {
    const bundled = await bundle(process.cwd())
    const names = [...bundled.packages.values()]
    const weak = names.filter(
      ({ name, version }) => !isSound(version, ofBundle[name as keyof typeof ofBundle] ?? ['0.0.0']),
    )
    t.strictSame(
      weak.filter(({ name }) => name in ofBundle).map(({ name, version }) => `${name} ${version}`),
      [],
    )
    const never = [
      '@azure/core-http',
      'node-fetch',
      'xml2js',
      'tough-cookie',
      'form-data',
      'uuid',
      'es-abstract',
      'azurite',
    ]
    t.strictSame(
      names.filter(({ name }) => never.includes(name)).map(({ name }) => name),
      [],
    )
    const scripted = new Set(installed.filter(each => each.hasInstallScript).map(each => each.name))
    t.strictSame(
      names.filter(({ name }) => scripted.has(name)).map(({ name }) => name),
      [],
    )
    const addresses = installed.filter(({ resolved }) => resolved?.startsWith('http'))
    t.strictSame(addresses, [], 'and the lockfile names no host to download from')
  },
)
