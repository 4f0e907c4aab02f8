import t from 'tap'
import { changesOf } from '../../agent/config/changes.js'
import type { Config } from '../../agent/config/config.js'
import { configFrom } from '../../agent/config/load.js'

const from = (content: object): Config => configFrom(content, '/etc/hubrec/config.json', 'test', { env: {} })

const before = from({ upload: { allowedContainers: ['https://a.blob.core.windows.net/old'] } })

t.test('nothing has changed', async t => {
  t.strictSame(changesOf(before, before), { live: [], needRestart: [], config: before })
})

t.test('what a running daemon can take over is taken, and the rest stays as it was', async t => {
  const after = from({
    connection: { keepaliveSeconds: 30, protocol: 'amqp' },
    ring: { budgetBytes: 300_000 },
    probes: { enabled: false, resolvers: ['192.0.2.1'] },
    logLevel: 'debug',
    upload: { allowedContainers: ['https://a.blob.core.windows.net/new'], privateHosts: ['store.local'] },
  })
  const { live, needRestart, config } = changesOf(before, after)
  t.strictSame(live, ['probes.resolvers', 'logLevel', 'upload.allowedContainers', 'upload.privateHosts'])
  t.strictSame([...needRestart].sort(), [
    'connection.keepaliveSeconds',
    'connection.protocol',
    'probes.enabled',
    'ring.budgetBytes',
  ])
  t.strictSame(config, {
    ...before,
    logLevel: 'debug',
    upload: after.upload,
    probes: { ...before.probes, resolvers: ['192.0.2.1'] },
  })
})

t.test('lists are compared as a whole, and a section that comes or goes is told by its name', async t => {
  const x509 = { certFile: '/c.pem', keyFile: '/k.pem' }
  t.strictSame(
    changesOf(before, from({ ...{ connection: { x509 } }, watch: ['a.azure-devices.net'] })).needRestart,
    ['connection.x509', 'watch'].sort(),
  )
})
