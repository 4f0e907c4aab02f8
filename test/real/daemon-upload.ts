/** A bundle on demand, from the daemon as it runs: by the hub's file upload, and to a container of somebody's own. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parts } from '../../agent/bundle/parts.js'
import type { Episode } from '../../agent/evidence/episode.js'
import type { RingHealth } from '../../agent/ring/ring.js'
import type { Status } from '../../agent/status.js'
import { type Identity, startHub } from '../hub/hub.js'
import { isLong } from '../support/campaign.js'
import { allHostileUrls } from '../support/hostile-urls.js'
import { Gateway } from '../support/hubrec.js'
import { entriesOf } from '../support/zip.js'

const hub = await startHub()
t.teardown(() => hub.close())

type Task = Readonly<{ status: string; correlationId: string; blobName: string | null; message: string }>

const call = async (
  identity: Identity,
  methodName: string,
  payload: object,
): Promise<{ status: number; payload: Task }> => {
  const { status, payload: answer } = await hub.invokeMethod(identity, { methodName, payload })
  return { status, payload: answer as Task }
}

/** Asks until the task is over; each question is answered by the device, so nothing waits by the clock. */
async function finished(identity: Identity, correlationId: string): Promise<Task> {
  for (;;) {
    const { payload } = await call(identity, 'GetTaskStatus', { schemaVersion: '1.0', correlationId })
    if (payload.status !== 'Running' && payload.status !== 'NotStarted') return payload
  }
}

async function running(
  t: Test,
  identity: Identity,
  config: Readonly<Record<string, unknown>> = {},
): Promise<{ gateway: Gateway; stop(): Promise<void> }> {
  const connectionString = hub.connectionString(identity.deviceId, identity.moduleId)
  const gateway = await Gateway.make(hub, connectionString, config)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const from = hub.log.length
  const daemon = gateway.start()
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === identity.deviceId, { from })
  return {
    gateway,
    stop: async () => {
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')
    },
  }
}

t.test('by the hub: the blob is whole, the hub is told, the story is in it and the key is not', async t => {
  const identity = { deviceId: 'by-hub' }
  const door = await hub.addDevice(identity.deviceId)
  const { gateway, stop } = await running(t, identity)
  const from = hub.log.length
  door.cut('rst')
  await hub.waitFor(event => event.type === 'subscribe', { from })

  const accepted = await call(identity, 'UploadSupportBundle', { schemaVersion: '1.0', since: '1h' })
  t.match(accepted, { status: 200, payload: { status: 'Running', message: '', correlationId: String } })
  const task = await finished(identity, accepted.payload.correlationId)
  t.match(task, { status: 'Completed', blobName: /^by-hub\/hubrec-by-hub-/ })
  t.match(
    hub.uploads.filter(({ deviceId }) => deviceId === identity.deviceId),
    [{ isSuccess: true }],
  )
  const { payload: told } = await hub.invokeMethod(identity, { methodName: 'GetStatus', payload: {} })
  const { outbox } = told as Status
  t.match(outbox, {
    waiting: 0,
    budgetBytes: 64 << 20,
    tasks: [{ ...task, kind: 'bundle', requestedBy: 'direct method UploadSupportBundle' }],
  })

  const upload = hub.uploads.find(({ deviceId }) => deviceId === identity.deviceId)
  const blob = await hub.readBlob(upload?.containerName ?? '', upload?.blobName ?? '')
  const file = join(gateway.dir, 'bundle.zip')
  await writeFile(file, blob)
  const health = await gateway.json<RingHealth>('verify', file)
  t.strictSame(
    health.map(({ status }) => status),
    health.map(() => 'ok'),
  )
  const episodes = await gateway.json<Episode>('episodes', '--bundle', file)
  t.strictSame(
    episodes.map(({ verdict, state }) => ({ cause: verdict.cause, state })),
    [{ cause: 'peer-reset', state: 'closed' }],
  )

  const entries = await entriesOf(file)
  const names = [...entries.keys()]
  t.strictSame(
    names.slice(0, -1),
    parts.map(({ name }) => name),
  )
  t.match(JSON.parse(String(entries.get('state.json'))), { daemon: 'running', connection: { state: 'online' } })
  t.equal(names.at(-1), 'manifest.json')
  const key = /SharedAccessKey=([^;]+)/.exec(hub.connectionString(identity.deviceId))?.[1] ?? ''
  for (const [name, text] of entries) {
    for (const form of [key, encodeURIComponent(key), Buffer.from(key).toString('base64').slice(0, -4)]) {
      t.notOk(text.includes(form), `${name} holds no key`)
    }
  }
  const shown = new RegExp(
    `collection  .* Completed: bundle, .* as ${task.blobName}, for direct method UploadSupportBundle`,
  )
  t.match(await gateway.run('status', '--config', gateway.configFile), { code: 0, out: shown })
  await stop()
  t.match(
    await gateway.run('status', '--state-dir', gateway.stateDir),
    { code: 1, out: shown },
    'also without a daemon',
  )
  const [down] = await gateway.json<Status>('status', '--state-dir', gateway.stateDir)
  t.strictSame(down?.outbox, { ...outbox, bytes: 0, budgetBytes: null })
})

t.test('to a container that the configuration allows, also for a module, and nowhere else', async t => {
  const identity = { deviceId: 'by-sas', moduleId: 'hubrec' }
  await hub.addDevice(identity.deviceId, { moduleIds: [identity.moduleId] })
  const sasUrl = await hub.containerSasUrl('support')
  const { origin, pathname } = new URL(sasUrl)
  const { stop, gateway } = await running(t, identity, {
    upload: { allowedContainers: [`${origin}${pathname}`], privateHosts: ['localhost'] },
  })

  t.match(await call(identity, 'UploadSupportBundle', { schemaVersion: '1.0' }), {
    status: 400,
    payload: { message: /sasUrl/ },
  })
  const elsewhere = sasUrl.replace('/support', '/elsewhere')
  const refused = await call(identity, 'UploadSupportBundle', { sasUrl: elsewhere })
  t.match(refused, { status: 400, payload: { message: /upload\.allowedContainers/ } })
  t.notOk(JSON.stringify(refused).includes('sig='))

  const hostile = allHostileUrls.filter((_url, at) => isLong || at % 10 === 0)
  for (const url of hostile) {
    const { status, payload } = await call(identity, 'UploadSupportBundle', { schemaVersion: '1.0', sasUrl: url })
    if (status !== 400 || !/^sasUrl: (expected|its host)/.test(payload.message)) t.fail(`${url}: ${status}`)
  }

  const accepted = await call(identity, 'UploadSupportBundle', { schemaVersion: '1.0', sasUrl })
  t.equal(accepted.status, 200)
  const task = await finished(identity, accepted.payload.correlationId)
  t.match(task, { status: 'Completed', message: String })
  const file = join(gateway.dir, 'bundle.zip')
  await writeFile(file, await hub.readBlob('support', task.blobName ?? ''))
  const signature = new URL(sasUrl).searchParams.get('sig') ?? 'no signature'
  for (const [name, text] of await entriesOf(file)) t.notOk(text.includes(signature), `${name} holds no signature`)
  await stop()
  const { out: records } = await gateway.run('logs', '--json', '--state-dir', gateway.stateDir)
  t.match(records, '"step":"accepted"')
  for (const secret of [signature, encodeURIComponent(signature), 'c2VjcmV0LXNpZ25hdHVyZS', 'evil.example']) {
    t.notOk(gateway.output.includes(secret), 'neither log nor records hold a part of any URL')
  }
})
