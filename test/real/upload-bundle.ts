/** From the direct method to the blob: a real ring, a real bundle, the real SDK, a real Azurite. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeBundle } from '../../agent/bundle/make.js'
import { openBundle, verifyBundle } from '../../agent/bundle/unzip.js'
import { readRecords } from '../../agent/evidence/read.js'
import { createMethods } from '../../agent/methods/methods.js'
import { createRedactor } from '../../agent/redact.js'
import { openOutbox } from '../../agent/upload/outbox.js'
import { createUploader } from '../../agent/upload/uploader.js'
import { versions } from '../../agent/versions.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { createFileUpload } from '../../transports/file-upload.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import { startHub } from '../hub/hub.js'
import { patientParts } from '../support/bundle-parts.js'
import { type Line, recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'

const hub = await startHub()
t.teardown(() => hub.close())

t.test('a direct method brings a bundle to the storage, whole and without the key', async t => {
  const dir = t.testdir()
  await hub.addDevice('gate')
  const connectionString = hub.connectionString('gate')
  const key = /SharedAccessKey=(.*)$/.exec(connectionString)?.[1] ?? ''
  // Written before anybody knew that this is a secret.
  const leak: Line = { atS: 41, type: 'log', data: { msg: `dialled with ${connectionString}` }, conn: null }
  const ringDir = join(dir, 'ring')
  await recordRing(ringDir, [...story, leak])

  const secrets = createSecrets()
  const identity = parseConnectionString(connectionString, 'the test', secrets)
  const trust = createTrust(hub.ca, null)
  const allowed = { containers: [], privateHosts: [] }
  const outbox = await openOutbox({ dir: join(dir, 'outbox'), secrets, warn: message => t.comment(message) })
  const uploader = createUploader({
    outbox,
    make: ({ request }, file, signal) =>
      makeBundle({
        file,
        ...request,
        ringDir,
        device: 'gate',
        config: { hubrec: true },
        parts: patientParts,
        state: async () => ({ connection: 'online' }),
        versions: versions(),
        causes: {},
        redactor: createRedactor(secrets),
        secrets,
        signal,
        nowMs: Date.now(),
      }),
    link: createFileUpload({ identity: () => identity, trust, host: 'localhost', httpsPort: hub.ports.https, secrets }),
    allowed,
    storage: { trust },
    secrets,
    onStep: () => undefined,
  })
  const stop = new AbortController()
  const running = uploader.part.run(stop.signal)
  const methods = createMethods({
    device: { hub: identity.hub, deviceId: 'gate', moduleId: null },
    ringDir,
    redactor: createRedactor(secrets),
    uploader,
    outbox,
    allowed,
    status: async () => ({}),
    doctor: async () => null,
    onFailure: (_method, error) => t.fail(String(error)),
  })
  const call = async (name: string, payload: object) =>
    (await methods({ name, requestId: '1', payload: Buffer.from(JSON.stringify(payload)) })).payload

  const since = new Date(storyStartMs).toISOString()
  const until = new Date(storyStartMs + 60_000).toISOString()
  const { correlationId } = (await call('UploadSupportBundle', { schemaVersion: '1.0', since, until })) as {
    correlationId: string
  }
  const done = await hub.waitFor(event => event.type === 'uploadDone' && event.deviceId === 'gate')
  t.match(done, { isSuccess: true })
  const blobName = 'gate/hubrec-gate-20261122T100000.000Z-20261122T100100.000Z.zip'
  const blob = await hub.readBlob('uploads', blobName)
  // The hub hears of it a moment before the task is done.
  stop.abort()
  await running
  t.match(await call('GetTaskStatus', { schemaVersion: '1.0', correlationId }), {
    correlationId,
    bytesDone: blob.length,
    bytesTotal: blob.length,
    blobName,
  })

  const file = join(dir, 'downloaded.zip')
  await writeFile(file, blob)
  const faults = (await collect(verifyBundle(file))).filter(({ status, reason }) => status !== 'ok' || reason !== null)
  t.strictSame(faults, [])
  const bundle = await openBundle(file)
  const records = await collect(bundle.records())
  t.equal(records.length, (await collect(readRecords(ringDir))).length)
  t.match(records.at(-1)?.data.msg, '[removed:')
  t.match(bundle.manifest, { requestedBy: 'direct method UploadSupportBundle', versions: versions() })
  for (const text of [JSON.stringify(records), JSON.stringify(bundle.manifest)])
    t.notOk(text.includes(key.slice(0, 12)))
})
