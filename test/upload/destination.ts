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

t.test('everything else is refused, and no refusal repeats a part of it', async t => {
  const s = `?${sas}`
  const hostile: readonly string[] = [
    '',
    ' ',
    'https://',
    '//account.blob.core.windows.net/bundles?sig=secretsecret',
    `http://account.blob.core.windows.net/bundles${s}`,
    `ftp://account.blob.core.windows.net/bundles${s}`,
    `HTTPS://account.blob.core.windows.net/bundles${s}`,
    `https:account.blob.core.windows.net/bundles${s}`,
    `https:/account.blob.core.windows.net/bundles${s}`,
    `https:///account.blob.core.windows.net/bundles${s}`,
    `https:\\\\account.blob.core.windows.net\\bundles${s}`,
    `https://account.blob.core.windows.net\\@evil.example/bundles${s}`,
    `https://evil.example\\@account.blob.core.windows.net/bundles${s}`,
    `https://evil.example/bundles${s}`,
    `https://account.blob.core.windows.net.evil.example/bundles${s}`,
    `https://account.blob.core.windows.net./bundles${s}`,
    `https://ACCOUNT.blob.core.windows.net/bundles${s}`,
    `https://account.blob.core.windows.net@evil.example/bundles${s}`,
    `https://user@account.blob.core.windows.net/bundles${s}`,
    `https://user:password@account.blob.core.windows.net/bundles${s}`,
    `https://:@account.blob.core.windows.net/bundles${s}`,
    `https://@account.blob.core.windows.net/bundles${s}`,
    `https://account.blob.core.windows.net:443/bundles${s}`,
    `https://account.blob.core.windows.net:0443/bundles${s}`,
    `https://account.blob.core.windows.net:/bundles${s}`,
    `https://account.blob.core.windows.net:8443/bundles${s}`,
    `https://account.blob.core.windows.net:443@evil.example/bundles${s}`,
    `https://account.blob.core.windows.net/bundles/${s}`,
    `https://account.blob.core.windows.net//bundles${s}`,
    `https://account.blob.core.windows.net/Bundles${s}`,
    `https://account.blob.core.windows.net/other${s}`,
    `https://account.blob.core.windows.net/bundles2${s}`,
    `https://account.blob.core.windows.net/bundles/blob${s}`,
    `https://account.blob.core.windows.net/other/../bundles${s}`,
    `https://account.blob.core.windows.net/./bundles${s}`,
    `https://account.blob.core.windows.net/other/%2e%2e/bundles${s}`,
    `https://account.blob.core.windows.net/%62undles${s}`,
    `https://account.blob.core.windows.net/bundles%00${s}`,
    `https://account.blob.core.windows.net/bundles%2f..%2fother${s}`,
    `https://account.blob.core.windows.net/bundles;x${s}`,
    `https://account.blob.core.windows.net/bundles${s}#`,
    `https://account.blob.core.windows.net/bundles${s}#@evil.example`,
    `https://account.blob.core.windows.net/bundles#${s}`,
    `https://account.blob.core.windows.net/bundles${s}\n`,
    `\u0000https://account.blob.core.windows.net/bundles${s}`,
    ` https://account.blob.core.windows.net/bundles${s}`,
    `https://account.blob.core.\twindows.net/bundles${s}`,
    `https://account.blob.core.windows.net/bun\r\ndles${s}`,
    `https://account.blob.core.windows.net/bundles${s} HTTP/1.1\r\nHost: evil.example`,
    `https://аccount.blob.core.windows.net/bundles${s}`,
    `https://account.blob.core.windows。net/bundles${s}`,
    `https://account.blob.core.windows.net／bundles${s}`,
    `https://account%2eblob.core.windows.net/bundles${s}`,
    `https://xn--ccount-3nf.blob.core.windows.net/bundles${s}`,
    `https://account.blob.core.windows.net/bundles`,
    `https://account.blob.core.windows.net/bundles?`,
    `https://account.blob.core.windows.net/bundles?sv=2024-11-04`,
    `https://account.blob.core.windows.net/bundles${s}&sig=another`,
    `https://account.blob.core.windows.net/bundles${s}&comp=list&restype=container`,
    `https://account.blob.core.windows.net/bundles${s}&COMP=blocklist`,
    `https://account.blob.core.windows.net/bundles${s}&blockid=AAAA`,
    `https://account.blob.core.windows.net/bundles${s}&x=${'x'.repeat(5_000)}`,
    `https://169.254.169.254/bundles${s}`,
    `https://[::ffff:169.254.169.254]/bundles${s}`,
    `https://2852039166/bundles${s}`,
    `https://0xa9fea9fe/bundles${s}`,
    `https://127.0.0.1/bundles${s}`,
    `https://0/bundles${s}`,
    `https://127.1/bundles${s}`,
    `https://[::1]/bundles${s}`,
    `https://localhost/bundles${s}`,
    `https://localhost:10000/devstoreaccount1/bundles${s}`,
    `https://10.1.2.4:10000/devstoreaccount1/bundles${s}`,
    `https://10.1.2.3:10001/devstoreaccount1/bundles${s}`,
    `https://10.1.2.3/devstoreaccount1/bundles${s}`,
    `https://167838211:10000/devstoreaccount1/bundles${s}`,
    `file:///etc/passwd`,
    `data:text/plain,${s}`,
    `javascript:alert(1)`,
    `blob:https://account.blob.core.windows.net/bundles`,
    `unix:/run/hubrec/control.sock`,
    `https://account.blob.core.windows.net/bundles${s}`.repeat(2),
    `[object Object]`,
  ]
  for (const text of hostile) {
    const checked = checkSasUrl(text, allowed)
    if (!t.match(checked, { problem: String }, JSON.stringify(text.slice(0, 120)))) continue
    const { problem } = checked as { problem: string }
    t.notMatch(problem, /sig=|evil|account|c2VjcmV0|10\.1/, 'the refusal repeats nothing')
  }
  t.ok(hostile.length >= 70, `${hostile.length} hostile URLs`)
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
