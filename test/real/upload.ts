/** Uploads over the real SDK to a real Azurite, while the road there fails in every way it can. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import t, { type Test } from 'tap'
import type { Allowed } from '../../agent/upload/destination.js'
import { type Outbox, openOutbox } from '../../agent/upload/outbox.js'
import { type Task, viewOf } from '../../agent/upload/task.js'
import { createUploader, type Uploader, type UploaderOptions } from '../../agent/upload/uploader.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { createFileUpload, type Link } from '../../transports/file-upload.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import { makeAuthority } from '../hub/certificates.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
t.teardown(() => hub.close())

const blockBytes = 256 << 10
const bundle = randomBytes(5 * blockBytes + 12_345)
const blockCount = 6
const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const trust = createTrust(hub.ca, null)
const request = { window: { since: 0, until: 1 }, requestedBy: 'a test', why: 'to see it arrive' }

let devices = 0
const addDevice = async (): Promise<string> => {
  const deviceId = `gate-${++devices}`
  await hub.addDevice(deviceId)
  return deviceId
}

const linkOf = (deviceId: string): Link | null => {
  const secrets = createSecrets()
  const identity = parseConnectionString(hub.connectionString(deviceId), 'the test', secrets)
  return createFileUpload({ identity: () => identity, trust, host: 'localhost', httpsPort: hub.ports.https, secrets })
}

type Run = Readonly<{
  uploader: Uploader
  outbox: Outbox
  steps: string[]
  /** Resolves with the task's final state. */
  finished(correlationId: string): Promise<Task>
  stop(): Promise<void>
}>

type RunOptions = Partial<UploaderOptions> & Readonly<{ dir: string; onUpdate?: (task: Task) => Promise<void> | void }>

/** One life of a daemon, as far as uploads are concerned. */
const start = async (t: Test, { dir, onUpdate, ...options }: RunOptions): Promise<Run> => {
  const secrets = createSecrets()
  const opened = await openOutbox({ dir, secrets, warn: message => t.comment(message) })
  const steps: string[] = []
  const ended = new Set<string>()
  const waiting = new Map<string, (task: Task) => void>()
  /** Over, said, and the hub knows. */
  const check = (correlationId: string): void => {
    const task = opened.find(correlationId)
    if (ended.has(correlationId) && task?.owed.length === 0) waiting.get(correlationId)?.(task)
  }
  const outbox: Outbox = {
    ...opened,
    async update(correlationId, change) {
      const task = await opened.update(correlationId, change)
      await onUpdate?.(task)
      check(correlationId)
      return task
    },
  }
  const uploader = createUploader({
    outbox,
    async make(_task, file) {
      await writeFile(file, bundle)
      return { bytes: bundle.length, fileName: 'hubrec-gate-from-to.zip' }
    },
    link: null,
    allowed: { containers: [], privateHosts: [] },
    storage: { trust },
    secrets,
    onStep({ correlationId, phase }, step) {
      steps.push(step)
      if (phase === 'done') ended.add(correlationId)
      check(correlationId)
    },
    blockBytes,
    wait: async () => undefined,
    ...options,
  })
  const signal = new AbortController()
  const running = uploader.part.run(signal.signal)
  const stop = async (): Promise<void> => {
    signal.abort()
    await running
  }
  t.teardown(stop)
  return {
    uploader,
    outbox,
    steps,
    finished: correlationId =>
      new Promise(resolve => {
        waiting.set(correlationId, resolve)
        check(correlationId)
      }),
    stop,
  }
}

/** Something that a test waits for. */
const arrival = () => {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>(arrived => {
    resolve = arrived
  })
  return { promise, resolve: () => resolve() }
}

const uploadsOf = (deviceId: string) =>
  hub.uploads.filter(upload => upload.deviceId === deviceId).map(({ isSuccess }) => isSuccess)

t.test('a bundle arrives whole, and the hub is told', async t => {
  const deviceId = await addDevice()
  const run = await start(t, { dir: t.testdir(), link: linkOf(deviceId) })
  const { correlationId } = await run.uploader.accept(request, null)
  t.equal(run.uploader.busy(), correlationId, 'it is busy with it')
  const task = await run.finished(correlationId)
  t.strictSame(viewOf(task), {
    correlationId,
    status: 'Completed',
    message: '',
    bytesDone: bundle.length,
    bytesTotal: bundle.length,
    blobName: `${deviceId}/hubrec-gate-from-to.zip`,
  })
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  t.strictSame(uploadsOf(deviceId), [true])
  t.strictSame(run.steps, ['accepted', 'made', 'completed'])
  await t.rejects(stat(run.outbox.filePath(correlationId)), { code: 'ENOENT' }, 'an uploaded bundle leaves the outbox')
})

t.test('a link that is cut in the middle costs no block that was acknowledged', async t => {
  const deviceId = await addDevice()
  const acknowledged: number[] = []
  let cut = false
  const run = await start(t, {
    dir: t.testdir(),
    link: linkOf(deviceId),
    async onUpdate({ phase, blocksDone, message }) {
      if (phase !== 'sending') return
      acknowledged.push(blocksDone)
      if (blocksDone === 3 && !cut) {
        cut = true
        await hub.blobFault('refuse')
      } else if (message !== '') await hub.blobFault(null)
    },
  })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  t.equal(task.status, 'Completed')
  t.strictSame([...new Set(acknowledged)], [0, 1, 2, 3, 4, 5, 6], 'each block once')
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  t.strictSame(uploadsOf(deviceId), [true], 'the same upload, and no second one')
  t.match(run.steps, ['accepted', 'made', /^failed, next try in/, 'completed'])
})

t.test('a storage that dies in the middle and comes back gets the whole bundle', async t => {
  const deviceId = await addDevice()
  let died = false
  const run = await start(t, {
    dir: t.testdir(),
    link: linkOf(deviceId),
    async onUpdate({ phase, blocksDone }) {
      if (phase !== 'sending' || blocksDone !== 3 || died) return
      died = true
      await hub.restartBlobStore()
    },
  })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  t.equal(task.status, 'Completed')
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  // A storage that has forgotten its container too is asked for anew, and then the first upload came to nothing.
  const ends = uploadsOf(deviceId)
  t.strictSame([ends.at(-1), ends.filter(isSuccess => isSuccess).length], [true, 1])
})

t.test('what is cancelled is stopped where it is, and the hub is told', async t => {
  const deviceId = await addDevice()
  const half = arrival()
  const run: Run = await start(t, {
    dir: t.testdir(),
    link: linkOf(deviceId),
    make: async (task, file, signal) => {
      if (task.request.why === 'never made') await once(signal, 'abort')
      signal.throwIfAborted()
      await writeFile(file, bundle)
      return { bytes: bundle.length, fileName: 'half.zip' }
    },
    async onUpdate({ phase, blocksDone }) {
      if (phase !== 'sending' || blocksDone !== 2) return
      await hub.blobFault('stall')
      half.resolve()
    },
  })
  const unmade = await run.uploader.accept({ ...request, why: 'never made' }, null)
  const inMaking = await run.uploader.cancel(unmade.correlationId)
  t.match(inMaking, { phase: 'done', status: 'Cancelled', owed: [] })

  const sent = await run.uploader.accept(request, null)
  await half.promise
  const inSending = await run.uploader.cancel(sent.correlationId)
  await hub.blobFault(null)
  t.match(inSending, { phase: 'done', status: 'Cancelled', blocksDone: 2 })
  await t.rejects(stat(run.outbox.filePath(sent.correlationId)), { code: 'ENOENT' }, 'its file is gone')
  await run.finished(sent.correlationId)
  t.strictSame(uploadsOf(deviceId), [false], 'the hub knows that nothing came')

  t.strictSame(run.steps, ['accepted', 'cancelled', 'accepted', 'made', 'cancelled'])
  t.equal(await run.uploader.cancel('nobody'), null)
})

t.test('log lines keep the name, the type and the encoding that they were given', async t => {
  const form = {
    fileName: 'hubrec-2026-11-22--10-00-00.json.gz',
    contentType: 'application/json',
    contentEncoding: 'gzip',
  }
  const logs = {
    filter: { window: {}, tail: 1, loglevel: null, regex: null },
    encoding: 'gzip',
    contentType: 'json',
  } as const
  const sasUrl = await hub.containerSasUrl('logs')
  const { origin, pathname } = new URL(sasUrl)
  const run = await start(t, {
    dir: t.testdir(),
    allowed: { containers: [`${origin}${pathname}`], privateHosts: ['localhost'] },
    make: async (_task, file) => {
      await writeFile(file, bundle)
      return { bytes: bundle.length, folder: 'hub.example/gate one', ...form }
    },
  })
  const { correlationId } = await run.uploader.accept({ ...request, logs }, sasUrl)
  t.ok(run.outbox.filePath(correlationId).endsWith('.log'))
  const { status, blobName } = await run.finished(correlationId)
  t.strictSame({ status, blobName }, { status: 'Completed', blobName: `hub.example/gate one/${form.fileName}` })
  t.equal(hashOf(await hub.readBlob('logs', blobName ?? '')), hashOf(bundle))
  const { contentType, contentEncoding } = await hub.blobProperties('logs', blobName ?? '')
  t.strictSame({ contentType, contentEncoding }, { contentType: form.contentType, contentEncoding: 'gzip' })
})

t.test('a storage that goes silent costs its limit and no more', async t => {
  const deviceId = await addDevice()
  let stalled = false
  const messages: string[] = []
  const run = await start(t, {
    dir: t.testdir(),
    link: linkOf(deviceId),
    storage: { trust, blockTimeoutMs: 500 },
    async onUpdate({ blocksDone, message }) {
      if (blocksDone === 2 && !stalled) {
        stalled = true
        await hub.blobFault('stall')
      }
      if (message !== '') {
        messages.push(message)
        await hub.blobFault(null)
      }
    },
  })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  t.equal(messages[0], 'the storage did not answer in time')
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  t.strictSame(uploadsOf(deviceId), [true])
})

t.test('a daemon that is stopped in the middle goes on after its restart, under the same id', async t => {
  const deviceId = await addDevice()
  const dir = t.testdir()
  const half = arrival()
  const first = await start(t, {
    dir,
    link: linkOf(deviceId),
    onUpdate({ blocksDone }) {
      if (blocksDone === 3) half.resolve()
    },
  })
  const { correlationId } = await first.uploader.accept(request, null)
  await half.promise
  await first.stop()
  const left = JSON.parse(await readFile(join(dir, `${correlationId}.json`), 'utf8')) as Task
  t.match(left, { phase: 'sending', status: 'Running', blobName: `${deviceId}/hubrec-gate-from-to.zip` })

  const seen: number[] = []
  const second = await start(t, {
    dir,
    link: linkOf(deviceId),
    onUpdate: ({ blocksDone }) => void seen.push(blocksDone),
  })
  const task = await second.finished(correlationId)
  t.equal(task.status, 'Completed')
  t.ok(
    seen.every(count => count >= left.blocksDone),
    'what was acknowledged before is not sent again',
  )
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  t.strictSame(uploadsOf(deviceId), [false, true], 'the hub was told that the first upload came to nothing')
})

t.test('blocks that the storage has forgotten are all sent again', async t => {
  const deviceId = await addDevice()
  const dir = t.testdir()
  const first = await start(t, { dir, link: linkOf(deviceId) })
  const { correlationId } = await first.uploader.accept(request, null)
  await first.finished(correlationId)
  await first.stop()
  const path = join(dir, `${correlationId}.json`)
  const done = JSON.parse(await readFile(path, 'utf8')) as Task
  const forged: Task = { ...done, fileName: 'another.zip', phase: 'sending', status: 'Running', blocksDone: blockCount }
  await writeFile(path, JSON.stringify(forged))
  await writeFile(join(dir, `${correlationId}.zip`), bundle)

  const second = await start(t, { dir, link: linkOf(deviceId) })
  const task = await second.finished(correlationId)
  t.match(second.steps, ['failed, next try in 0 ms', 'completed'])
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
})

/** A link whose first targets have expired before they are used up. */
const withShortLife = (link: Link, deviceId: string, lifeMs: number, times: number): Link & { expiresAtMs: number } => {
  const credential = new StorageSharedKeyCredential(
    'devstoreaccount1',
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  )
  let left = times
  const short = {
    expiresAtMs: 0,
    notify: link.notify,
    async target(name: string) {
      const target = await link.target(name)
      if (left-- <= 0) return target
      // A signature knows whole seconds only.
      short.expiresAtMs = Math.ceil((Date.now() + lifeMs) / 1000) * 1000
      const query = generateBlobSASQueryParameters(
        {
          containerName: target.containerName,
          blobName: `${deviceId}/${name}`,
          permissions: BlobSASPermissions.parse('rw'),
          protocol: SASProtocol.Https,
          startsOn: new Date(Date.now() - 600_000),
          expiresOn: new Date(short.expiresAtMs),
        },
        credential,
      )
      return { ...target, sasToken: `?${query}` }
    },
  }
  return short
}

t.test('a signature that expires in the middle is asked anew, and the old upload is said to have failed', async t => {
  const deviceId = await addDevice()
  const real = linkOf(deviceId)
  if (!real) throw new Error('a device has file upload')
  const link = withShortLife(real, deviceId, 1_000, 1)
  const run = await start(t, {
    dir: t.testdir(),
    link,
    async onUpdate({ blocksDone }) {
      if (blocksDone !== 2) return
      // Until the clock is past the expiry, as it is after a long block on a slow line.
      const waitMs = Math.max(0, link.expiresAtMs + 50 - Date.now())
      await new Promise(resolve => setTimeout(resolve, waitMs))
    },
  })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  t.equal(task.status, 'Completed')
  t.strictSame(run.steps, ['accepted', 'made', 'failed, next try in 0 ms', 'completed'])
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
  t.strictSame(uploadsOf(deviceId), [false, true])
})

/** Time that passes only while somebody waits. */
const patience = () => {
  let passedMs = 0
  return {
    nowMs: () => passedMs,
    wait: async (delayMs: number) => {
      passedMs += delayMs
    },
    passedMs: () => passedMs,
  }
}

t.test('after an hour of failures the task has failed, the hub knows, and the bundle stays', async t => {
  const deviceId = await addDevice()
  const clock = patience()
  await hub.blobFault('refuse')
  const run = await start(t, { dir: t.testdir(), link: linkOf(deviceId), nowMs: clock.nowMs, wait: clock.wait })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  await hub.blobFault(null)
  t.match(task, {
    status: 'Failed',
    message: 'given up: the storage could not be reached: ECONNREFUSED',
    sasUrl: null,
  })
  t.ok(clock.passedMs() > 3_500_000 && clock.passedMs() < 3_700_000, `${clock.passedMs()} ms of patience`)
  t.strictSame(uploadsOf(deviceId), [false])
  t.equal(hashOf(await readFile(run.outbox.filePath(correlationId))), hashOf(bundle))
  t.equal(run.uploader.busy(), null)
})

t.test('a hub that cannot be told for an hour does not undo the upload', async t => {
  const deviceId = await addDevice()
  const clock = patience()
  hub.door(deviceId).set({ kind: 'http', status: 503, on: 'notifications' })
  const run = await start(t, { dir: t.testdir(), link: linkOf(deviceId), nowMs: clock.nowMs, wait: clock.wait })
  const { correlationId } = await run.uploader.accept(request, null)
  const task = await run.finished(correlationId)
  t.match(task, { status: 'Completed', message: /^the hub could not be told the end of the upload: .*503/ })
  t.equal(hashOf(await hub.readBlob('uploads', task.blobName ?? '')), hashOf(bundle))
})

t.test('a hub that gives no place is asked again, one that refuses for good is not', async t => {
  const deviceId = await addDevice()
  hub.door(deviceId).set({ kind: 'http', status: 503, on: 'files', times: 2 })
  const run = await start(t, { dir: t.testdir(), link: linkOf(deviceId) })
  const first = await run.uploader.accept(request, null)
  t.match(await run.finished(first.correlationId), { status: 'Completed' })
  t.equal(run.steps.filter(step => step.startsWith('failed')).length, 2)
  hub.door(deviceId).set({ kind: 'http', status: 400, code: 400004, on: 'files' })
  const second = await run.uploader.accept(request, null)
  t.match(await run.finished(second.correlationId), {
    status: 'Failed',
    message: 'the hub refused with status 400, ArgumentInvalid',
  })
})

const allowing = (...containers: string[]): Allowed => ({ containers, privateHosts: ['localhost'] })

t.test('a sasUrl leads to a container of one’s own, and is forgotten after', async t => {
  const dir = t.testdir()
  const sasUrl = await hub.containerSasUrl('collected')
  const { origin, pathname } = new URL(sasUrl)
  const run = await start(t, { dir, allowed: allowing(origin + pathname) })
  const { correlationId } = await run.uploader.accept(request, sasUrl)
  const json = join(dir, `${correlationId}.json`)
  t.equal((await stat(json)).mode & 0o777, 0o600, 'only our own user may read it while it holds the URL')
  const task = await run.finished(correlationId)
  t.match(viewOf(task), { status: 'Completed', blobName: 'hubrec-gate-from-to.zip' })
  t.equal(hashOf(await hub.readBlob('collected', 'hubrec-gate-from-to.zip')), hashOf(bundle))
  t.notMatch(await readFile(json, 'utf8'), 'sig=')
})

t.test('a sasUrl that the storage does not take is not tried for an hour', async t => {
  const sasUrl = (await hub.containerSasUrl('collected')).replace(/sig=[^&]*/, 'sig=AAAAAAAAAAAAAAAAAAAAAAAA')
  const { origin, pathname } = new URL(sasUrl)
  const run = await start(t, { dir: t.testdir(), allowed: allowing(origin + pathname) })
  const { correlationId } = await run.uploader.accept(request, sasUrl)
  t.match(await run.finished(correlationId), {
    status: 'Failed',
    message: /^sasUrl: the storage answered 403 Auth\w+: the signature has expired/,
  })
})

t.test('a sasUrl whose name leads inside the network is not dialled', async t => {
  let connections = 0
  const inside = createTcpServer(socket => {
    connections += 1
    socket.destroy()
  })
  inside.listen(0, '127.0.0.1')
  await once(inside, 'listening')
  t.teardown(() => inside.close())
  const container = `https://account.example:${(inside.address() as AddressInfo).port}/bundles`
  const run = await start(t, {
    dir: t.testdir(),
    allowed: { containers: [container], privateHosts: [] },
    storage: {
      trust,
      lookup: (_host, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    },
  })
  const { correlationId } = await run.uploader.accept(request, `${container}?sig=c2lnbmF0dXJl`)
  t.match(await run.finished(correlationId), {
    status: 'Failed',
    message: 'sasUrl: its host has an address that this device does not upload to',
  })
  t.equal(connections, 0)
})

t.test('a redirect is not followed', async t => {
  let elsewhere = 0
  const authority = await makeAuthority('localhost')
  const pair = await authority.issue('good')
  const server = createServer(pair, (request, response) => {
    request.resume()
    if (request.url?.startsWith('/elsewhere')) elsewhere += 1
    response.writeHead(307, { location: '/elsewhere' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const container = `https://localhost:${(server.address() as AddressInfo).port}/a/bundles`
  const run = await start(t, {
    dir: t.testdir(),
    allowed: allowing(container),
    storage: { trust: createTrust(authority.ca, null) },
  })
  const { correlationId } = await run.uploader.accept(request, `${container}?sig=c2lnbmF0dXJl`)
  t.match(await run.finished(correlationId), { status: 'Failed', message: /^sasUrl: the storage answered 307/ })
  t.equal(elsewhere, 0)
})

t.test('a bundle that cannot be made is a failed task, and the next one is made all the same', async t => {
  const deviceId = await addDevice()
  let broken = true
  const run = await start(t, {
    dir: t.testdir(),
    link: linkOf(deviceId),
    async make(_task, file) {
      if (broken) throw new Error('no space left')
      await writeFile(file, bundle)
      return { bytes: bundle.length, fileName: 'second.zip' }
    },
  })
  const first = await run.uploader.accept(request, null)
  t.match(await run.finished(first.correlationId), {
    status: 'Failed',
    message: 'the file could not be made: no space left',
  })
  broken = false
  const second = await run.uploader.accept(request, null)
  t.match(await run.finished(second.correlationId), { status: 'Completed' })
  t.strictSame(uploadsOf(deviceId), [true])
})
