/** An outbox on a disk that is really full: nothing is accepted that could be lost, what runs goes on, and it heals by itself. */
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createZip } from '../../agent/bundle/zip.js'
import { methodsDevice } from '../support/methods-device.js'
import { smallDisk } from '../support/small-disk.js'

/** Takes every byte there is. @returns what gives them back */
async function fill(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'somebody else’s')
  const bytes = Buffer.alloc(4_096)
  await writeFile(path, '')
  try {
    for (;;) await writeFile(path, bytes, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
  return () => rm(path)
}

async function* noise(bytes: number): AsyncGenerator<Buffer> {
  for (let made = 0; made < bytes; made += 4_096) yield randomBytes(4_096)
}

type Answer = Readonly<{ status: number; payload?: { correlationId?: string; message?: string; status?: string } }>

const uploading = async (t: Test, outboxDir: string, bundleBytes: number) => {
  const device = await methodsDevice(t, {
    outboxDir,
    uploads: {
      async make(_task, file) {
        const zip = createZip(file, 0)
        try {
          await zip.add('noise', noise(bundleBytes))
          return { bytes: await zip.finish(), fileName: 'hubrec-gate.zip' }
        } catch (error) {
          await zip.discard()
          throw error
        }
      },
      link: { target: () => Promise.reject(new Error('no hub in this test')), notify: async () => undefined },
    },
  })
  const call = async (name: string, payload: object): Promise<Answer> =>
    (await device.call(name, { schemaVersion: '1.0', ...payload })) as Answer
  return { ...device, call }
}

t.test('a task that cannot be written down is not accepted, and the next one is when there is room', async t => {
  const disk = smallDisk(t, 'size=64k')
  if (disk === null) return
  const { call } = await uploading(t, join(disk, 'outbox'), 100)
  const empty = await fill(disk)
  t.match(await call('UploadSupportBundle', {}), {
    status: 500,
    payload: { message: 'the task could not be written down: ENOSPC' },
  })
  await empty()
  t.match(await call('UploadSupportBundle', {}), { status: 200, payload: { status: 'Running' } })
})

t.test('a bundle that does not fit is a failed task that says so, and leaves nothing', async t => {
  const disk = smallDisk(t, 'size=64k')
  if (disk === null) return
  const { call, failed } = await uploading(t, join(disk, 'outbox'), 1 << 20)
  const isOver = failed()
  const { payload } = await call('UploadSupportBundle', {})
  const correlationId = payload?.correlationId ?? ''
  await isOver
  t.match(await call('GetTaskStatus', { correlationId }), {
    payload: { status: 'Failed', message: /^the file could not be made: ENOSPC/ },
  })
  const names = await readdir(join(disk, 'outbox'))
  t.strictSame(names, [`${correlationId}.json`])
  t.match(JSON.parse(await readFile(join(disk, 'outbox', names[0] ?? ''), 'utf8')), { status: 'Failed', phase: 'done' })
})
