import { randomUUID } from 'node:crypto'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { retryDelayMs } from '../../agent/upload/backoff.js'
import { type OutboxOptions, openOutbox, readOutbox } from '../../agent/upload/outbox.js'
import type { Task } from '../../agent/upload/task.js'
import { createSecrets } from '../../transports/secrets.js'

let minutes = 0
const task = (change: Partial<Task> = {}): Task => ({
  version: 1,
  correlationId: randomUUID(),
  acceptedAt: new Date(Date.UTC(2026, 10, 22, 10, minutes++)).toISOString(),
  request: { window: {}, requestedBy: 'a test', why: 'to wait' },
  sasUrl: null,
  phase: 'sending',
  status: 'Running',
  message: '',
  fileName: 'bundle.zip',
  blobName: null,
  bytesTotal: 1_000,
  blockBytes: 262_144,
  blocksDone: 0,
  uploadId: null,
  owed: [],
  troubleMs: 0,
  ...change,
})

const open = async (dir: string, options: Partial<OutboxOptions> = {}) => {
  const warnings: string[] = []
  const secrets = createSecrets()
  const outbox = await openOutbox({ dir, secrets, warn: message => warnings.push(message), ...options })
  return { outbox, warnings, secrets }
}

const zip = Buffer.alloc(1_000)

t.test('what was accepted is there after a restart, and its signature is a secret again', async t => {
  const dir = t.testdir()
  const { outbox } = await open(dir)
  const waiting = task({ sasUrl: 'https://account.example/c?sv=1&sig=dGhlIHNpZ25hdHVyZQ%3D%3D' })
  await outbox.add(waiting)
  await writeFile(outbox.filePath(waiting.correlationId), zip)
  await outbox.update(waiting.correlationId, { blocksDone: 1, blobName: 'gate/bundle.zip' })

  const { outbox: reopened, secrets } = await open(dir)
  t.strictSame(reopened.tasks(), [{ ...waiting, blocksDone: 1, blobName: 'gate/bundle.zip' }])
  t.notMatch(secrets.scrub('x dGhlIHNpZ25hdHVyZQ== y').text, 'dGhlIHNpZ25hdHVyZQ')
  t.equal((await stat(join(dir, `${waiting.correlationId}.json`))).mode & 0o777, 0o600)
  t.match(await reopened.state(), { waiting: 1, bytes: 1_000, budgetBytes: 64 << 20 })
})

t.test('a bundle that a power cut has left half made is made again, and remains are cleared away', async t => {
  const dir = t.testdir()
  const { outbox } = await open(dir)
  const making = task({ phase: 'making', bytesTotal: null })
  const shorter = task({ blocksDone: 3 })
  await outbox.add(making)
  await outbox.add(shorter)
  await writeFile(outbox.filePath(shorter.correlationId), zip.subarray(1))
  await writeFile(`${outbox.filePath(making.correlationId)}.tmp`, zip)
  await writeFile(join(dir, `${randomUUID()}.zip`), zip)
  await writeFile(join(dir, `${making.correlationId}.json.tmp`), '{"half":')
  await writeFile(join(dir, 'notes of the technician.txt'), 'left alone')

  const { outbox: reopened, warnings } = await open(dir)
  t.strictSame(reopened.tasks(), [
    { ...making, phase: 'queued' },
    { ...shorter, phase: 'queued', blocksDone: 0 },
  ])
  t.strictSame(
    (await readdir(dir)).sort(),
    [
      ...[making, shorter].map(({ correlationId }) => `${correlationId}.json`).sort(),
      `${shorter.correlationId}.zip`,
      'notes of the technician.txt',
    ].sort(),
  )
  t.strictSame(warnings, [])
})

t.test('the file of a task that has come to its end is not kept over a power cut, that of a failed one is', async t => {
  const dir = t.testdir()
  const { outbox } = await open(dir)
  const ended = (['Completed', 'Cancelled', 'Failed'] as const).map(status => task({ phase: 'done', status }))
  for (const each of ended) {
    await outbox.add(each)
    await writeFile(outbox.filePath(each.correlationId), zip)
  }
  const { outbox: reopened } = await open(dir)
  t.strictSame(reopened.tasks(), ended)
  t.strictSame(
    (await readdir(dir)).filter(name => name.endsWith('.zip')),
    [`${ended[2]?.correlationId}.zip`],
  )
})

t.test('a file that cannot be read is left alone and said', async t => {
  const dir = t.testdir()
  const ids = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  const texts = [
    '',
    '{"version":2}',
    JSON.stringify(task()),
    JSON.stringify(task({ sasUrl: 'not a url', correlationId: ids[3] ?? '' })),
  ]
  for (const [n, text] of texts.entries()) await writeFile(join(dir, `${ids[n]}.json`), text)
  const { outbox, warnings } = await open(dir)
  t.strictSame(outbox.tasks(), [])
  t.strictSame(warnings.sort(), ids.map(id => `${id}.json in the outbox cannot be read and is left alone`).sort())
})

t.test('over the quota the oldest bundles go first, said aloud, but never those in use', async t => {
  const { outbox, warnings } = await open(t.testdir(), { quotaBytes: 2_500 })
  const failed = task({ phase: 'done', status: 'Failed' })
  const [sending, waiting, newest] = [task(), task(), task()]
  for (const each of [failed, sending, waiting, newest]) {
    await outbox.add(each)
    await writeFile(outbox.filePath(each.correlationId), zip)
  }
  const lost = await outbox.enforceQuota(new Set([sending.correlationId, newest.correlationId]))
  t.strictSame(lost, [waiting], 'a finished task loses its bundle and nothing else')
  t.strictSame(
    warnings,
    [failed, waiting].map(
      ({ correlationId }) => `the outbox was over 2500 bytes: the file of task ${correlationId} was dropped`,
    ),
  )
  t.equal((await outbox.state()).bytes, 2_000)
  t.strictSame(await outbox.enforceQuota(new Set()), [], 'what fits stays')
})

t.test('the last fifty finished tasks are remembered, and those that still owe the hub a word', async t => {
  const dir = t.testdir()
  const { outbox } = await open(dir)
  const owing = task({
    phase: 'done',
    status: 'Failed',
    owed: [{ uploadId: 'u', result: { ok: false, statusCode: 0, statusDescription: '' } }],
  })
  await outbox.add(owing)
  const finished = Array.from({ length: 60 }, () => task({ phase: 'done', status: 'Completed' }))
  for (const each of finished) await outbox.add(each)
  const expected = [owing, ...finished.slice(-50)]
  t.strictSame(outbox.tasks(), expected)
  const { outbox: reopened } = await open(dir)
  t.strictSame(reopened.tasks(), expected)
  t.equal((await readdir(dir)).length, 51)
})

t.test('the history is the newest ten, also for whoever reads beside the daemon, and changes nothing', async t => {
  const dir = t.testdir()
  t.strictSame(await readOutbox(join(dir, 'nowhere')), { waiting: 0, bytes: 0, budgetBytes: null, tasks: [] })
  const { outbox } = await open(dir, { quotaBytes: 1_500 })
  const request = { window: { since: 0, until: 60_000 }, requestedBy: 'somebody', why: 'to know' }
  const logs = {
    filter: { window: {}, tail: 1, loglevel: null, regex: null },
    encoding: 'none',
    contentType: 'text',
  } as const
  const old = Array.from({ length: 9 }, () => task({ phase: 'done', status: 'Completed' }))
  const failed = task({
    phase: 'done',
    status: 'Failed',
    message: 'the disk is full',
    bytesTotal: null,
    fileName: null,
  })
  const sending = task({
    request: { ...request, logs },
    sasUrl: 'https://account.example/c?sv=1&sig=dGhlIHNpZ25hdHVyZQ%3D%3D',
    blobName: 'gate/some.log',
    bytesTotal: 300_000,
    blocksDone: 1,
  })
  for (const each of [...old, failed, sending]) await outbox.add(each)
  await writeFile(outbox.filePath(sending.correlationId), zip)
  await writeFile(join(dir, `${sending.correlationId}.json.tmp`), 'half')
  await writeFile(join(dir, 'notes.txt'), 'somebody else’s')
  const before = await readdir(dir)

  const state = await outbox.state()
  t.strictSame(state.tasks.slice(0, 2), [
    {
      correlationId: sending.correlationId,
      status: 'Running',
      message: '',
      bytesDone: 262_144,
      bytesTotal: 300_000,
      blobName: 'gate/some.log',
      acceptedAt: sending.acceptedAt,
      kind: 'logs',
      window: { from: '1970-01-01T00:00:00.000Z', to: '1970-01-01T00:01:00.000Z' },
      requestedBy: 'somebody',
      why: 'to know',
    },
    {
      correlationId: failed.correlationId,
      status: 'Failed',
      message: 'the disk is full',
      bytesDone: null,
      bytesTotal: null,
      blobName: null,
      acceptedAt: failed.acceptedAt,
      kind: 'bundle',
      window: { from: null, to: null },
      requestedBy: 'a test',
      why: 'to wait',
    },
  ])
  t.strictSame(
    state.tasks.slice(2).map(({ correlationId }) => correlationId),
    old
      .slice(1)
      .reverse()
      .map(({ correlationId }) => correlationId),
  )
  t.strictSame({ ...state, tasks: [] }, { waiting: 1, bytes: 1_000, budgetBytes: 1_500, tasks: [] })
  t.strictSame(await readOutbox(dir), { ...state, budgetBytes: null })
  t.strictSame(await readdir(dir), before)
  t.notMatch(JSON.stringify(state), /sig|account/)
})

t.test('many changes at once leave the last one on disk', async t => {
  const dir = t.testdir()
  const { outbox } = await open(dir)
  const busy = task()
  await outbox.add(busy)
  await Promise.all(Array.from({ length: 40 }, (_, n) => outbox.update(busy.correlationId, { blocksDone: n })))
  const text = await readFile(join(dir, `${busy.correlationId}.json`), 'utf8')
  t.equal((JSON.parse(text) as Task).blocksDone, 39)
  await t.rejects(outbox.update(randomUUID(), {}), /no task/)
})

t.test('a disk that refuses: nothing new is accepted, and what runs goes on in memory', async t => {
  const dir = t.testdir({ file: 'in the way' })
  const { outbox, warnings } = await open(join(dir, 'file', 'outbox'))
  t.strictSame(warnings, ['the outbox cannot be read: ENOTDIR'])
  await t.rejects(outbox.add(task()), { code: 'ENOTDIR' })
  t.strictSame(outbox.tasks(), [], 'a task that was not written down was not accepted')

  if (process.getuid?.() === 0) return
  const locked = t.testdir()
  const { outbox: other, warnings: told } = await open(locked)
  const running = task()
  await other.add(running)
  await chmod(locked, 0o500)
  t.match(await other.update(running.correlationId, { blocksDone: 7 }), { blocksDone: 7 })
  t.match(told, [/could not be written: EACCES/])
  await chmod(locked, 0o700)
})

t.test('the wait after a failure doubles to a minute and is never the same for all', async t => {
  const lowest = [1, 2, 3, 6, 7, 8, 100].map(failures => retryDelayMs(failures, () => 0))
  const highest = [1, 2, 3, 6, 7, 8, 100].map(failures => retryDelayMs(failures, () => 0.9999999))
  t.strictSame(lowest, [500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000])
  t.strictSame(highest, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000])
})
