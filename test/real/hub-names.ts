/** The name server's modes, as a process sees them that asks it through the preload. */

import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import { startNameServer } from '../hub/name-server.js'

const names = await startNameServer()
t.teardown(() => names.close())

const run = promisify(execFile)

const preload = new URL('../support/dns-preload.js', import.meta.url).href

/** Evaluates an expression in a process with the preload; a failure becomes plain data. */
const evaluate = async (expression: string): Promise<unknown> => {
  const script = `
    import dns, { lookup } from 'node:dns'
    import { lookup as lookupPromise } from 'node:dns/promises'
    import net from 'node:net'
    import { once } from 'node:events'
    import { promisify } from 'node:util'
    const answer = await (async () => (${expression}))().catch(({ message, ...error }) => ({ message, ...error }))
    console.log(JSON.stringify(answer))`
  const args = ['--import', preload, '--input-type=module', '--eval', script]
  const env = { ...process.env, HUBREC_TEST_NAME_SERVER: names.address }
  const { stdout } = await run(process.execPath, args, { env })
  return JSON.parse(stdout)
}

t.test('a name is found by every way of asking', async t => {
  const hub = `'hub.azure-devices.net'`
  const all = await evaluate(`[
    await promisify(dns.lookup)(${hub}),
    await promisify(lookup)(${hub}, { all: true }),
    await dns.promises.lookup(${hub}, 4),
    await lookupPromise(${hub}, { all: true, family: 0 }),
    await new Promise(resolve => lookup(${hub}, (error, address, family) => resolve([error, address, family]))),
    await lookupPromise(${hub}, 6).catch(({ code }) => code),
  ]`)
  const found = { address: '127.0.0.1', family: 4 }
  t.strictSame(all, [found, [found], found, [found], [null, '127.0.0.1', 4], 'ENOTFOUND'])
})

t.test('a connection goes where the name server says', async t => {
  const server = createServer(socket => socket.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const before = names.asked('Hub-2.azure-devices.net')
  const said = await evaluate(`String(await once(net.connect(${port}, 'hub-2.azure-devices.net'), 'data'))`)
  server.close()
  t.equal(said, 'hello')
  t.equal(names.asked('hub-2.azure-devices.net') - before, 2, 'A and AAAA')
})

for (const [mode, code, errno] of [
  ['nxdomain', 'ENOTFOUND', -3008],
  ['servfail', 'EAI_AGAIN', -3001],
  ['silence', 'EAI_AGAIN', -3001],
] as const) {
  t.test(`${mode} looks like getaddrinfo's ${code}, by lookup and by connect`, async t => {
    names.set(mode, 'gone.azure-devices.net')
    const hostname = 'gone.azure-devices.net'
    const failure = { message: `getaddrinfo ${code} ${hostname}`, errno, code, syscall: 'getaddrinfo', hostname }
    const [looked, connected, system] = (await evaluate(`Promise.all([
      lookupPromise('${hostname}').catch(({ message, ...error }) => ({ message, ...error })),
      once(net.connect(1, '${hostname}'), 'connect').catch(({ message, ...error }) => ({ message, ...error })),
      lookupPromise('localhost', { family: 4 }),
    ])`)) as unknown[]
    t.strictSame(looked, failure)
    t.strictSame(connected, failure)
    t.strictSame(system, { address: '127.0.0.1', family: 4 }, 'other names stay with the system')
  })
}

t.test('a mode may be for one name or for all', async t => {
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers([names.address])
  names.set('nxdomain')
  names.set('answer', 'one.azure-devices.net')
  t.strictSame(await resolver.resolve4('one.azure-devices.net'), ['127.0.0.1'])
  await t.rejects(resolver.resolve4('two.azure-devices.net'), { code: 'ENOTFOUND' })
  names.set('servfail')
  await t.rejects(resolver.resolve4('two.azure-devices.net'), { code: 'ESERVFAIL' })
  names.set('silence')
  await t.rejects(resolver.resolve4('two.azure-devices.net'), { code: 'ETIMEOUT' })
})
