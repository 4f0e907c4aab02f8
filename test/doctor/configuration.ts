/** What is on this device: configuration, credential, token, clock. Each check once as it should be, and once as it should not. */

import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../transports/clock.js'
import { startHub } from '../hub/hub.js'
import { brief, examine, nobodysHub, throughDoor } from '../support/examined.js'
import { shutPort } from '../support/ports.js'

const hub = await startHub()
t.teardown(() => hub.close())

const dir = t.testdir({})
let files = 0

const file = (name: string, text: string, mode = 0o600): string => {
  files += 1
  const path = join(dir, `${files}-${name}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const stringFile = (path: string) => ({ config: { connection: { connectionStringFile: path } }, connectionString: '' })

t.test('configuration: it can be read', async t => {
  t.equal(brief(await examine('configuration')), 'ok: config.json')
})

t.test('configuration: all that is wrong is said at once', async t => {
  const found = await examine('configuration', { config: { colour: 1, ring: { budgetBytes: 1 } } })
  t.match(
    brief(found),
    /^failed: 2 problems in the configuration \(config\.json\): ring\.budgetBytes: found 1; expected .*; colour: unknown key/,
  )
})

t.test('configuration: a secret that everybody can read is named, and how to mend it', async t => {
  const path = file('connection-string', nobodysHub, 0o644)
  const found = await examine('configuration', stringFile(path))
  t.equal(brief(found), `warning: config.json; everybody on this host can read ${path}`)
  t.strictSame(found.remedies, [`Run \`chmod o-rwx ${path}\`.`])
  chmodSync(path, 0o600)
  t.equal((await examine('configuration', stringFile(path))).result, 'ok')
})

t.test('credential: it is whole', async t => {
  t.equal(brief(await examine('credential')), 'ok: a key of pump at hub.example')
})

t.test('credential: a key that is no base64, and what is missing', async t => {
  const found = await examine('credential', { connectionString: 'HostName=hub.example;SharedAccessKey=not a key' })
  t.equal(found.result, 'failed')
  t.match(found.found, /DeviceId/)
  t.notMatch(found.found, 'not a key', 'a secret is never repeated')
})

t.test(
  'credential: what cannot be read is given to this user, and not copied again; what is missing is put there',
  async t => {
    const missing = await examine('credential', stringFile(join(dir, 'nowhere')))
    t.match(brief(missing), /^failed: connection\.connectionStringFile: .*nowhere: cannot be read: ENOENT/)
    t.match(missing.remedies, [/^Put the file there/])
    if (process.getuid?.() !== 0) {
      t.comment('SKIPPED: a file of another user needs the privilege to be one')
      return
    }
    const path = file('string', nobodysHub, 0o600)
    process.seteuid?.(65_534)
    const refused = await examine('credential', stringFile(path))
    process.seteuid?.(0)
    t.match(brief(refused), /^failed: .*cannot be read: EACCES/)
    t.match(refused.remedies, [
      /^Let the user that runs hubrec read the file \(this is uid 65534\)/,
      /^Or run this as that user/,
    ])
  },
)

t.test('credential: quotes around a connection string are named', async t => {
  const found = await examine('credential', { connectionString: `"${nobodysHub}"` })
  t.equal(
    brief(found),
    "failed: HUBREC_CONNECTION_STRING: found quotes around it; expected it without: they are the shell's, and are no part of it",
  )
  t.strictSame(found.remedies, ['Take the quotes at its beginning and at its end away.'])
})

t.test('credential: a CA file that holds no certificate has a remedy of its own', async t => {
  const found = await examine('credential', { config: { connection: { caFile: file('ca.pem', 'none') } } })
  t.match(brief(found), /^failed: connection\.caFile: .*ca\.pem: expected at least one PEM certificate$/)
  t.match(found.remedies, [/^Put the certificate of the root as PEM text/])
})

t.test('credential: a certificate that does not fit its key', async t => {
  const [one, other] = [await hub.issueClientCertificate('pump'), await hub.issueClientCertificate('other')]
  const x509 = (cert: string, key: string) => ({
    connectionString: 'HostName=hub.example;DeviceId=pump;x509=true',
    config: { connection: { x509: { certFile: file('cert.pem', cert), keyFile: file('key.pem', key) } } },
  })
  t.equal(brief(await examine('credential', x509(one.cert, one.key))), 'ok: a certificate of pump at hub.example')
  t.match(brief(await examine('credential', x509(one.cert, other.key))), /^failed: .*does not belong to|^failed: .*key/)
})

t.test('identity: until when it is good', async t => {
  t.equal(brief(await examine('identity')), 'ok: hub.example')
  const { cert, key } = await hub.issueClientCertificate('pump', [-1, 10])
  const found = await examine('identity', {
    connectionString: 'HostName=hub.example;DeviceId=pump;x509=true',
    config: { connection: { x509: { certFile: file('cert.pem', cert), keyFile: file('key.pem', key) } } },
  })
  t.match(brief(found), /^warning: hub\.example; the credential ends at .*, in (9|10) days$/)
})

t.test('identity: a token of an hour, as somebody renews them, is no cause for a warning', async t => {
  await hub.addDevice('hourly')
  const token = hub.sasToken({ deviceId: 'hourly' }, { expiresInSeconds: 3600 })
  const found = await examine('identity', {
    connectionString: 'HostName=localhost;DeviceId=hourly',
    config: { connection: { sasTokenFile: file('token', token) } },
  })
  t.match(brief(found), /^ok: localhost; the credential ends at /)
})

t.test('identity: a token that has ended', async t => {
  await hub.addDevice('pump')
  const token = hub.sasToken({ deviceId: 'pump' }, { expiresInSeconds: -60 })
  const found = await examine('identity', {
    connectionString: 'HostName=localhost;DeviceId=pump',
    config: { connection: { sasTokenFile: file('token', token) } },
  })
  t.match(brief(found), /^failed: the credential ended at .*, by the clock of this device$/)
  t.match(found.remedies, [/^Write a new token into the file/, /^Where it should be good still, look at the clock/])
})

t.test('token: what is made from the key verifies with it', async t => {
  t.equal(brief(await examine('token')), 'ok: it does')
  const lost = await examine('token', {
    instead: facts => ({ identity: async () => ({ ...(await facts.identity()), tokenHolds: () => false }) }),
  })
  t.equal(brief(lost), 'failed: it does not')
  const cut = Buffer.alloc(29, 7).toString('base64')
  t.match(
    brief(
      await examine('token', { connectionString: nobodysHub.replace(/SharedAccessKey=.*/, `SharedAccessKey=${cut}`) }),
    ),
    /^warning: it does; the key has 29 bytes, and those that IoT Hub makes have 32 or 64/,
  )
})

t.test('dps: it answers, or does not', async t => {
  const dps = await hub.startDps()
  const key = file('key', Buffer.alloc(32, 7).toString('base64'))
  const at = (endpoint: string) => ({
    connectionString: '',
    config: {
      connection: {
        caFile: hub.caFile,
        dps: { endpoint, idScope: '0ne00000000', registrationId: 'pump', symmetricKeyFile: key },
      },
    },
  })
  t.match(
    brief(await examine('dps', at(dps.endpoint))),
    /^ok: localhost:\d+ at .* shows a certificate that is trusted$/,
  )
  t.match(brief(await examine('dps', at(`localhost:${await shutPort()}`))), /^failed: .*ECONNREFUSED/)
  t.equal(brief(await examine('dps')), 'skipped: none is configured')
})

const at = (wall: string) => {
  const real = systemClock()
  return { ...real, now: () => ({ ...real.now(), wallMs: Date.parse(wall) }) }
}

t.test('clock-plausible', async t => {
  t.equal((await examine('clock-plausible')).result, 'ok')
  t.equal(
    brief(await examine('clock-plausible', { clock: at('1970-01-01T00:00:10.000Z') })),
    'failed: it reads 1970-01-01T00:00:10.000Z, which cannot be true',
  )
})

t.test('clock-synchronised', async t => {
  const by = (files: Readonly<Record<string, string>>) => examine('clock-synchronised', { files })
  t.equal(brief(await by({ 'run/systemd/timesync/synchronized': '' })), 'ok: the host says so')
  t.equal(brief(await by({ 'run/systemd/timesync/other': '' })), 'warning: the host says that it is not synchronised')
  t.match(brief(await by({ 'run/x': '' })), /^skipped: the host does not say/)
})

t.test('clock-references: another host reads the same, or it does not', async t => {
  const page = createServer((_, response) => response.end('Microsoft Connect Test')).listen(0, '127.0.0.1')
  await once(page, 'listening')
  t.teardown(() => page.close())
  const { port } = page.address() as AddressInfo
  const story = {
    config: {
      ...throughDoor(hub, await shutPort()),
      probes: { portalUrl: `http://127.0.0.1:${port}/`, portalText: null },
    },
    connectionString: nobodysHub.replace('hub.example', 'localhost'),
  }
  t.match(brief(await examine('clock-references', story)), /^ok: within .* s (behind|ahead of) 127\.0\.0\.1/)
  const ahead = await examine('clock-references', {
    ...story,
    clock: at(new Date(Date.now() + 7_200_000).toISOString()),
  })
  t.match(brief(ahead), /^failed: it is 7\d\d\d(\.\d+)? s ahead of 127\.0\.0\.1/)

  const door = await hub.addDevice('clock')
  const asked = { ...story, config: { ...throughDoor(hub, door.port), probes: story.config.probes } }
  const both = /^ok: within .* s (?:behind|ahead of) 127\.0\.0\.1:\d+, .* s (?:behind|ahead of) localhost$/
  t.match(brief(await examine('clock-references', asked)), both)
  const late = createServer((_, response) => {
    response.setHeader('date', new Date(Date.now() - 7_200_000).toUTCString()).end('Microsoft Connect Test')
  }).listen(0, '127.0.0.1')
  await once(late, 'listening')
  t.teardown(() => late.close())
  const portalUrl = `http://127.0.0.1:${(late.address() as AddressInfo).port}/`
  const differing = await examine('clock-references', {
    ...asked,
    config: { ...asked.config, probes: { ...asked.config.probes, portalUrl } },
  })
  t.match(brief(differing), /^warning: the others differ: it is 7\d\d\d(\.\d+)? s ahead of 127\.0\.0\.1/)
  t.equal(brief(await examine('clock-references')), 'skipped: no host that was asked told the time')
})
