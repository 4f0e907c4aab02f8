import t from 'tap'
import { AgentError } from '../../agent/errors.js'
import { type Allowed, checkSasUrl, guardLookup, isForbiddenHost } from '../../agent/upload/destination.js'
import type { Lookup } from '../../transports/socket-tap.js'

const account = 'https://account.blob.core.windows.net'
const allowed: Allowed = {
  containers: [
    `${account}/bundles`,
    'https://10.1.2.3:10000/devstoreaccount1/bundles',
    'https://localhost:10000/devstoreaccount1/bundles',
  ],
  privateHosts: ['10.1.2.3'],
}
const sas = 'sv=2024-11-04&sr=c&sp=cw&se=2026-12-01T00:00:00Z&sig=c2VjcmV0%2Bc2lnbmF0dXJl%3D'

const accepted = (text: string, rules = allowed): boolean => 'url' in checkSasUrl(text, rules)

t.test('a container that the configuration names is accepted, with any honest signature', async t => {
  t.ok(accepted(`${account}/bundles?${sas}`))
  t.ok(accepted(`${account}/bundles?sp=racw&st=2026-11-22T10:00:00Z&spr=https&sig=a+b/c=`))
  t.ok(accepted(`https://10.1.2.3:10000/devstoreaccount1/bundles?${sas}`), 'a private address that is named')
})

t.test('a forbidden address in the list of allowed containers is forbidden all the same', async t => {
  const metadata: Allowed = {
    containers: ['https://169.254.169.254/a/bundles', 'https://[fe80::1]/a/bundles', 'https://168.63.129.16/a/bundles'],
    privateHosts: ['169.254.169.254', 'fe80::1', '168.63.129.16'],
  }
  for (const container of metadata.containers) t.notOk(accepted(`${container}?${sas}`, metadata), container)
  const loopback = { containers: ['https://[::1]:8443/a/bundles'], privateHosts: ['::1'] }
  t.ok(accepted(`https://[::1]:8443/a/bundles?${sas}`, loopback), 'a loopback address that is named is not')
  t.notOk(accepted(`https://[::1]:8443/a/bundles?${sas}`, { ...loopback, privateHosts: [] }))
})

/** What a connection would be given to dial. */
const dialled = (lookup: Lookup, host: string): Promise<readonly string[] | string> =>
  new Promise(resolve =>
    lookup(host, (error, addresses) => {
      if (error instanceof AgentError) resolve(error.code)
      else resolve(error ? error.message : addresses.map(({ address }) => address))
    }),
  )

const answering =
  (...addresses: string[]): Lookup =>
  (_host, callback) =>
    callback(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

t.test('a name is judged by all that it resolves to, and only that is dialled', async t => {
  const rules: Allowed = { containers: [], privateHosts: ['nas.example'] }
  const dial = (host: string, ...addresses: string[]) => dialled(guardLookup(rules, answering(...addresses)), host)
  t.strictSame(await dial('account.example', '20.60.1.1', '2603:1030::1'), ['20.60.1.1', '2603:1030::1'])
  t.equal(await dial('account.example', '20.60.1.1', '10.0.0.1'), 'UPLOAD_REFUSED')
  t.equal(await dial('account.example', '127.0.0.1'), 'UPLOAD_REFUSED')
  t.equal(await dial('account.example', '::ffff:10.0.0.1'), 'UPLOAD_REFUSED')
  t.strictSame(await dial('nas.example', '192.168.1.5'), ['192.168.1.5'])
  t.equal(await dial('nas.example', '169.254.169.254'), 'UPLOAD_REFUSED')
  t.equal(await dial('nas.example', '192.168.1.5', 'fe80::1'), 'UPLOAD_REFUSED')
  const failing: Lookup = (_host, callback) => callback(new Error('SERVFAIL'), [])
  t.equal(await dialled(guardLookup(rules, failing), 'account.example'), 'SERVFAIL')
})

t.test('a name that leads inside is refused early, one that does not resolve is left for later', async t => {
  const rules: Allowed = { containers: [], privateHosts: [] }
  const ask = (lookup: Lookup) => isForbiddenHost(new URL('https://account.example/c'), guardLookup(rules, lookup), 50)
  t.equal(await ask(answering('10.0.0.1')), true)
  t.equal(await ask(answering('20.60.1.1')), false)
  t.equal(await ask((_host, callback) => callback(new Error('SERVFAIL'), [])), false)
  t.equal(await ask(() => 'a resolver that never answers'), false)
})
