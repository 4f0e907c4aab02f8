/** The configuration as a bundle shows it. */
import { join } from 'node:path'
import t from 'tap'
import { describeConfig } from '../../agent/config/describe.js'
import { loadConfig } from '../../agent/config/load.js'

t.test('the same settings have the same hash, another setting another', async t => {
  const dir = t.testdir({
    'a.json': '{"logLevel":"warn","stateDir":"/s"}',
    'b.json': '{"stateDir":"/s",\n"logLevel":"warn"}',
    'c.json': '{"logLevel":"error","stateDir":"/s"}',
  })
  const describe = async (name: string) => {
    const { config } = await loadConfig({ file: join(dir, name), env: {} })
    return { config, ...describeConfig(config) }
  }
  const [a, b, c] = [await describe('a.json'), await describe('b.json'), await describe('c.json')]
  t.strictSame(a.settings, a.config)
  t.match(a.hash, /^[0-9a-f]{12}$/)
  t.equal(a.hash, b.hash)
  t.not(a.hash, c.hash)
})

t.test("a proxy's credentials are not shown, and do not show in the hash", async t => {
  const connection = (proxy: string) => JSON.stringify({ connection: { protocol: 'auto', proxy } })
  const dir = t.testdir({
    'a.json': connection('http://user:geheim123@proxy.example:3128'),
    'b.json': connection('http://proxy.example:3128'),
  })
  const [a, b] = await Promise.all(
    ['a.json', 'b.json'].map(async name =>
      describeConfig((await loadConfig({ file: join(dir, name), env: {} })).config),
    ),
  )
  t.equal(a?.settings.connection.proxy, 'http://proxy.example:3128')
  t.notMatch(JSON.stringify(a), 'geheim123')
  t.equal(a?.hash, b?.hash)
})
