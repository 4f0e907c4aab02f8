/** A daemon that is killed in each state of a task goes on with it after its restart, under the same id, to the same end. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Task, type TaskPhase, viewOf } from '../../agent/upload/task.js'
import { startHub } from '../hub/hub.js'
import { randomFrom } from '../support/campaign.js'
import { hashOf, noisyLines, UploadingDevice } from '../support/uploading-device.js'

const hub = await startHub()
const device = await UploadingDevice.make(hub, 'gate', noisyLines(900, randomFrom(1)))
t.teardown(async () => {
  await device[Symbol.asyncDispose]()
  await hub.close()
})
t.setTimeout(0)
const { watch } = device
const door = hub.door('gate')

/** What the hub was told of the uploads that it began for one task, in order. */
const endsOf = (from: number): (boolean | null)[] => hub.uploads.slice(from).map(({ isSuccess }) => isSuccess)

type Asked = Readonly<{ correlationId: string; isOurs(task: Task): boolean; uploadsBefore: number }>

async function ask(): Promise<Asked> {
  const uploadsBefore = hub.uploads.length
  const { status, payload } = await device.call('UploadSupportBundle', { schemaVersion: '1.0' })
  if (status !== 200) throw new Error(`not accepted: ${JSON.stringify(payload)}`)
  const { correlationId } = payload as { correlationId: string }
  return { correlationId, isOurs: task => task.correlationId === correlationId, uploadsBefore }
}

/** Ended as by a power cut, when the task is there; what was in the way is out of it at the next start. */
async function killIn(t: Test, phase: TaskPhase, { correlationId, isOurs }: Asked): Promise<Task> {
  await watch.until(task => isOurs(task) && task.phase === phase)
  await device.kill()
  const left = watch.now(correlationId)
  t.equal(left.phase, phase, 'it was killed there')
  await hub.blobFault(null)
  await door.heal()
  return left
}

async function holdsWhole(t: Test, { correlationId, isOurs }: Asked): Promise<void> {
  const done = await watch.until(task => isOurs(task) && task.phase === 'done' && task.owed.length === 0)
  t.match(done, { status: 'Completed', message: '' })
  t.equal(hashOf(await hub.readBlob('uploads', done.blobName ?? '')), await device.madeHash())
  t.strictSame(await device.call('GetTaskStatus', { schemaVersion: '1.0', correlationId }), {
    status: 200,
    payload: viewOf(done),
  })
}

t.test('while the bundle is made: it is made again', async t => {
  const asked = await ask()
  await killIn(t, 'making', asked)
  await device.start()
  await holdsWhole(t, asked)
  t.strictSame(endsOf(asked.uploadsBefore), [true])
})

t.test('before anything was begun: as if nothing had been', async t => {
  const asked = await ask()
  const left = await killIn(t, 'making', asked)
  // A state that no fault holds it in: it is written, and over as soon as the daemon has the processor.
  const path = join(device.outboxDir, `${asked.correlationId}.json`)
  await writeFile(path, JSON.stringify({ ...left, phase: 'queued', status: 'NotStarted' } satisfies Task))
  await device.start()
  await holdsWhole(t, asked)
})

t.test('while blocks are sent: those that are there are not sent again, and the hub hears of both uploads', async t => {
  await hub.blobFault('stall')
  const asked = await ask()
  const isAsked = (task: Task): boolean => asked.isOurs(task) && task.uploadId !== null
  await watch.until(isAsked)
  await killIn(t, 'sending', asked)
  await device.start()
  await holdsWhole(t, asked)
  t.strictSame(endsOf(asked.uploadsBefore), [false, true])
})

t.test('when the blob is whole and the hub is not told: it is told, once', async t => {
  await door.set({ kind: 'http', status: 503, on: 'notifications' })
  const asked = await ask()
  await killIn(t, 'notifying', asked)
  await device.start()
  await holdsWhole(t, asked)
  t.strictSame(endsOf(asked.uploadsBefore), [true])
})

t.test('when it was cancelled and the hub is not told: it is told', async t => {
  await hub.blobFault('stall')
  const asked = await ask()
  const { correlationId } = asked
  await watch.until(task => asked.isOurs(task) && task.uploadId !== null)
  await door.set({ kind: 'http', status: 503, on: 'notifications' })
  t.match(await device.call('CancelTask', { schemaVersion: '1.0', correlationId }), {
    payload: { status: 'Cancelled' },
  })
  const left = await killIn(t, 'done', asked)
  t.match(left, { status: 'Cancelled', owed: [{ result: { ok: false } }] })
  await device.start()
  await watch.until(task => asked.isOurs(task) && task.owed.length === 0)
  t.strictSame(endsOf(asked.uploadsBefore), [false])
  const { payload } = await device.call('GetTaskStatus', { schemaVersion: '1.0', correlationId })
  t.strictSame(payload, viewOf(left))
})

t.test('when it is done: it is known, and nothing is sent again', async t => {
  const asked = await ask()
  await holdsWhole(t, asked)
  await killIn(t, 'done', asked)
  const before = await readFile(join(device.outboxDir, `${asked.correlationId}.json`), 'utf8')
  await device.start()
  await holdsWhole(t, asked)
  t.equal(await readFile(join(device.outboxDir, `${asked.correlationId}.json`), 'utf8'), before)
  t.strictSame(endsOf(asked.uploadsBefore), [true])
})
