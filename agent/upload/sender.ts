/** Brings one file of the outbox to the storage and tells the hub, a try at a time; what failed says when to try again. */
import { type FileHandle, open } from 'node:fs/promises'
import { FileUploadError, type Link, type UploadTarget } from '../../transports/file-upload.js'
import type { FindProxy } from '../../transports/proxy.js'
import type { Secrets } from '../../transports/secrets.js'
import type { Lookup } from '../../transports/socket-tap.js'
import type { Trust } from '../../transports/trust.js'
import { retryDelayMs } from './backoff.js'
import { BlobError, openBlob } from './blob.js'
import { type Allowed, addressProblem, checkSasUrl, guardLookup } from './destination.js'
import type { Outbox } from './outbox.js'
import type { OwedNotice, Task } from './task.js'

export type StorageOptions = Readonly<{
  trust: Pick<Trust, 'context' | 'proxyContext'>
  /** Default: the system's. */
  lookup?: Lookup
  /** Default: none is used. */
  findProxy?: FindProxy
  /** For one request, whatever the size of the file. Default: 60 s. */
  blockTimeoutMs?: number
}>

export type SenderOptions = Readonly<{
  outbox: Outbox
  link: Link | null
  allowed: Allowed
  storage: StorageOptions
  secrets: Secrets
  onStep(task: Task, step: string): void
  giveUpAfterMs: number
  nowMs?: () => number
  random?: () => number
}>

export interface Sender {
  /** When the task may be tried, on the clock of `nowMs`. */
  dueMs(task: Task): number
  /** One try. Never rejects: what it met is in the task. */
  send(task: Task, signal: AbortSignal): Promise<void>
  /** Ends the task as failed; its file stays in the outbox. The hub is owed a word if it knows of the upload. */
  fail(task: Task, message: string): Promise<void>
  /** Ends the task without success, in the same way. */
  end(task: Task, status: 'Failed' | 'Cancelled', message: string): Promise<Task>
}

const blockTimeoutMsDefault = 60_000

/** What is known of a task in this run only. */
type Progress = {
  /** Where the hub said the blob may go; asked again when its signature has expired. */
  target: UploadTarget | null
  /** Whether a request was acknowledged with this target. */
  isProven: boolean
  failures: number
  dueMs: number
  /** When it last came forward, or this try began. */
  goodMs: number
  /** How often the storage had forgotten blocks that it had acknowledged. */
  restarts: number
}

/** What a failed try means for the task. */
type Sequel =
  | Readonly<{ next: 'fail'; message: string }>
  | Readonly<{ next: 'later' | 'at once'; message: string; change?: Partial<Task> }>

export function createSender(options: SenderOptions): Sender {
  const { outbox, link, allowed, storage, onStep, giveUpAfterMs } = options
  const { nowMs = () => performance.now(), random = Math.random } = options
  const progresses = new Map<string, Progress>()

  const progressOf = ({ correlationId }: Task): Progress => {
    const known = progresses.get(correlationId)
    if (known) return known
    const nothing = { target: null, isProven: false, failures: 0, dueMs: nowMs(), goodMs: nowMs(), restarts: 0 }
    progresses.set(correlationId, nothing)
    return nothing
  }

  /** Tells the hub what it is owed, oldest first. @throws FileUploadError that waiting may help against */
  const settle = async (task: Task, signal: AbortSignal): Promise<Task> => {
    const [notice, ...others] = task.owed
    if (!notice || !link) return task
    try {
      await link.notify(notice.uploadId, notice.result, signal)
    } catch (error) {
      if (!(error instanceof FileUploadError) || error.passing) throw error
      onStep(task, `the hub did not want to know the end of an upload: ${error.message}`)
    }
    return settle(await outbox.update(task.correlationId, { owed: others }), signal)
  }

  /** The blob's URL with its signature, and how its name is resolved. */
  const placeOf = async (
    task: Task,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<{ task: Task; url: string; lookup: Lookup | undefined }> => {
    const { correlationId, sasUrl, fileName } = task
    if (fileName === null) throw new Error('the file has no name')
    if (sasUrl !== null) {
      const checked = checkSasUrl(sasUrl, allowed)
      if ('problem' in checked) throw new RefusedTask(`sasUrl: ${checked.problem}`)
      const { origin, pathname, search } = checked.url
      const folder = task.form?.folder
      const blobName = folder === undefined ? fileName : `${folder}/${fileName}`
      const named = await outbox.update(correlationId, { blobName })
      const url = `${origin}${pathname}/${asPath(blobName)}${search}`
      return { task: named, url, lookup: guardLookup(allowed, storage.lookup) }
    }
    if (link === null) throw new RefusedTask('this identity has no file upload')
    let current = task
    if (progress.target === null) {
      // An upload of an earlier run, whose signature went with it.
      current = await outbox.update(correlationId, replaced(current, 'replaced by a new upload'))
      current = await settle(current, signal)
      const target = await link.target(fileName, signal)
      progress.target = target
      progress.isProven = false
      current = await outbox.update(correlationId, { uploadId: target.correlationId, blobName: target.blobName })
    }
    const { hostName, containerName, blobName, sasToken } = progress.target
    const url = `https://${hostName}/${containerName}/${asPath(blobName)}${sasToken}`
    return { task: current, url, lookup: storage.lookup }
  }

  /** Every block that is not acknowledged yet, and then the list of all. */
  const transfer = async (given: Task, progress: Progress, signal: AbortSignal): Promise<Task> => {
    const place = await placeOf(given, progress, signal)
    let { task } = place
    const { correlationId, blockBytes, bytesTotal } = task
    const blockCount = Math.ceil((bytesTotal ?? 0) / blockBytes)
    const limitMs = storage.blockTimeoutMs ?? blockTimeoutMsDefault
    const { trust, findProxy } = storage
    const road = { trust, ...(place.lookup ? { lookup: place.lookup } : {}), ...(findProxy ? { findProxy } : {}) }
    const blob = openBlob(place.url, road)
    const file = await open(outbox.filePath(correlationId), 'r').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new RefusedTask('its file is gone') : error
    })
    try {
      for (let index = task.blocksDone; index < blockCount; index++) {
        const bytes = await readBlock(file, index, task)
        await within(limitMs, signal, limit => blob.stage(blockId(index), bytes, limit))
        progress.isProven = true
        progress.failures = 0
        progress.goodMs = nowMs()
        task = await outbox.update(correlationId, { blocksDone: index + 1, troubleMs: 0, message: '' })
      }
      const ids = Array.from({ length: blockCount }, (_, index) => blockId(index))
      await within(limitMs, signal, limit => blob.commit(ids, task.form ?? {}, limit))
    } finally {
      blob.close()
      await file.close()
    }
    const done = { ok: true, statusCode: 201, statusDescription: 'uploaded' }
    const owed = task.uploadId === null ? task.owed : [...task.owed, { uploadId: task.uploadId, result: done }]
    return outbox.update(correlationId, { phase: 'notifying', owed, uploadId: null, troubleMs: 0, message: '' })
  }

  const finish = async (task: Task, message: string): Promise<void> => {
    const { correlationId } = task
    const change = { phase: 'done', status: 'Completed', message, sasUrl: null, owed: [], troubleMs: 0 } as const
    const done = await outbox.update(correlationId, change)
    progresses.delete(correlationId)
    await outbox.removeFile(correlationId)
    onStep(done, 'completed')
  }

  const end: Sender['end'] = async (task, status, message) => {
    const { correlationId } = task
    const current = outbox.find(correlationId) ?? task
    progresses.delete(correlationId)
    const done = await outbox.update(correlationId, {
      ...replaced(current, message),
      phase: 'done',
      status,
      message,
      sasUrl: null,
      troubleMs: 0,
    })
    onStep(done, status.toLowerCase())
    return done
  }
  const fail = async (task: Task, message: string): Promise<void> => {
    await end(task, 'Failed', message)
  }

  /** Its time of failures is over. */
  const giveUp = async (task: Task, message: string): Promise<void> => {
    const untold = `the hub could not be told the end of the upload: ${message}`
    if (task.phase === 'notifying') await finish(task, untold)
    else if (task.phase === 'done') {
      progresses.delete(task.correlationId)
      onStep(await outbox.update(task.correlationId, { owed: [], troubleMs: 0 }), untold)
    } else await fail(task, `given up: ${message}`)
  }

  const afterFailure = async (task: Task, progress: Progress, error: unknown): Promise<void> => {
    const sequel = sequelOf(task, progress, error)
    if (sequel.next === 'fail') return fail(task, sequel.message)
    progress.failures += 1
    const delayMs = sequel.next === 'at once' ? 0 : retryDelayMs(progress.failures, random)
    const troubleMs = Math.round(task.troubleMs + (nowMs() - progress.goodMs) + delayMs)
    progress.dueMs = nowMs() + delayMs
    const { message } = sequel
    // What a task has ended with is not replaced by what became of the word that the hub is owed.
    const isDone = task.phase === 'done'
    const said = isDone ? {} : { message }
    const changed = await outbox.update(task.correlationId, { ...sequel.change, ...said, troubleMs })
    onStep(changed, `${isDone ? `the hub is not told its end yet: ${message}` : 'failed'}, next try in ${delayMs} ms`)
    if (troubleMs >= giveUpAfterMs) await giveUp(changed, message)
  }

  return {
    dueMs: task => progressOf(task).dueMs,
    fail,
    end,

    async send(task, signal) {
      const progress = progressOf(task)
      progress.goodMs = nowMs()
      try {
        const settled = await settle(task, signal)
        if (settled.phase === 'done') {
          progresses.delete(task.correlationId)
          return
        }
        const sent = settled.phase === 'sending' ? await transfer(settled, progress, signal) : settled
        await finish(await settle(sent, signal), '')
      } catch (error) {
        // What a stop has cut short goes on at the next start.
        if (!signal.aborted) await afterFailure(outbox.find(task.correlationId) ?? task, progress, error)
      }
    },
  }
}

const asPath = (blobName: string): string => blobName.split('/').map(encodeURIComponent).join('/')

/** A task that no waiting can help. */
class RefusedTask extends Error {
  override readonly name = 'RefusedTask'
}

function sequelOf(task: Task, progress: Progress, error: unknown): Sequel {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof RefusedTask) return { next: 'fail', message }
  if (error instanceof FileUploadError) return { next: error.passing ? 'later' : 'fail', message }
  if (!(error instanceof BlobError)) return { next: 'later', message }

  if (error.code === 'UPLOAD_REFUSED') return { next: 'fail', message: `sasUrl: ${addressProblem}` }
  if (error.code !== null && blocksAreGone.has(error.code)) {
    progress.restarts += 1
    return { next: progress.restarts > 1 ? 'later' : 'at once', message, change: { blocksDone: 0 } }
  }
  if (error.status === null || error.status >= 500 || error.status === 408 || error.status === 429) {
    return { next: 'later', message }
  }
  if (task.sasUrl !== null) {
    const hint = error.status === 403 ? ': the signature has expired, or does not allow to write' : ''
    return { next: 'fail', message: `sasUrl: ${message}${hint}` }
  }
  // The signature has expired, or the hub's storage was changed: the hub will say where to go now.
  const wasProven = progress.isProven
  progress.target = null
  const change = replaced(task, message, error.status)
  return { next: wasProven && error.status === 403 ? 'at once' : 'later', message, change }
}

/** The service's words for a list that names blocks it does not have. */
const blocksAreGone: ReadonlySet<string> = new Set(['InvalidBlockList', 'InvalidBlobOrBlock', 'InvalidBlockId'])

/** The upload that the hub knows of, if there is one, has ended without success, and the hub is owed that. */
function replaced(task: Task, statusDescription: string, statusCode = 0): Pick<Task, 'owed' | 'uploadId'> {
  if (task.uploadId === null) return { owed: task.owed, uploadId: null }
  const notice: OwedNotice = { uploadId: task.uploadId, result: { ok: false, statusCode, statusDescription } }
  return { owed: [...task.owed, notice], uploadId: null }
}

/** Of equal length for all blocks, as the service asks. */
const blockId = (index: number): string => Buffer.from(`hubrec-${String(index).padStart(8, '0')}`).toString('base64')

async function readBlock(file: FileHandle, index: number, { blockBytes, bytesTotal }: Task): Promise<Buffer> {
  const start = index * blockBytes
  const length = Math.min(blockBytes, (bytesTotal ?? 0) - start)
  const bytes = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled)
    if (bytesRead === 0) throw new RefusedTask('its file is shorter than it was')
    filled += bytesRead
  }
  return bytes
}

/** Ends the work when the time is over or the signal aborts. */
async function within<T>(limitMs: number, signal: AbortSignal, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController()
  const stop = (): void => limit.abort()
  const timer = setTimeout(stop, limitMs)
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (signal.aborted) stop()
    return await work(limit.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
