/**
 * Carries out the tasks of the outbox, one making and one upload at a time, until they are done or an hour of failures
 * has passed; over drops, restarts and signatures that expire.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Link } from '../../transports/file-upload.js'
import type { Secrets } from '../../transports/secrets.js'
import { createDoorbell } from '../doorbell.js'
import { AgentError } from '../errors.js'
import type { Part } from '../run-together.js'
import type { Allowed } from './destination.js'
import { type Outbox, rememberSasUrl } from './outbox.js'
import { createSender, type Sender, type StorageOptions } from './sender.js'
import { type FileForm, isUnmade, isUnsent, type Request, type Task } from './task.js'

export type Made = FileForm & Readonly<{ bytes: number }>

export type UploaderOptions = Readonly<{
  outbox: Outbox
  /** Writes what was asked for to `file`; it is on disk when the promise resolves. */
  make(task: Task, file: string, signal: AbortSignal): Promise<Made>
  /** `null` where the identity has no file upload. */
  link: Link | null
  allowed: Allowed
  storage: StorageOptions
  secrets: Secrets
  /** Told of every step of a task that a reader of the records would want to know. */
  onStep(task: Task, step: string): void
  /** 256 KiB to 1 MiB. Default: 512 KiB. */
  blockBytes?: number
  /** After so long without coming forward a task has failed. Default: an hour. */
  giveUpAfterMs?: number
  /** Monotonic. Default: `performance.now`. */
  nowMs?: () => number
  /** In [0, 1). Default: `Math.random`. */
  random?: () => number
  /** Rejects when the signal aborts. Default: timers. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
}>

export interface Uploader {
  readonly part: Part
  /** The task that is being made or sent at this moment, or waits to be made. One that waits for its next try does not count. */
  busy(): string | null
  /**
   * Takes a task on; it survives a restart from here on.
   *
   * @throws the file system's error when it cannot be written down
   */
  accept(request: Request, sasUrl: string | null): Promise<Task>
  /**
   * Takes a task on that is done already, because there is nothing to do: whoever asks for its status later is told so.
   *
   * @throws the file system's error when it cannot be written down
   */
  acceptDone(request: Request, message: string): Promise<Task>
  /**
   * Ends a task before its time: what it was doing is stopped, its file is removed, the hub is told. One whose blob is whole already
   * is not stopped any more, and one that is done stays as it is.
   *
   * @returns how it is now; `null` when it is not known
   */
  cancel(correlationId: string): Promise<Task | null>
}

const blockBytesDefault = 512 << 10
const giveUpAfterMsDefault = 3_600_000

export function createUploader(options: UploaderOptions): Uploader {
  const { outbox, secrets, onStep, blockBytes = blockBytesDefault } = options
  const { nowMs = () => performance.now(), wait = defaultWait } = options
  const sender: Sender = createSender({ ...options, giveUpAfterMs: options.giveUpAfterMs ?? giveUpAfterMsDefault })
  const doors = { make: createDoorbell(), send: createDoorbell() }
  let sending: string | null = null
  const underWay = createStoppable()
  /** Nobody begins with them again. */
  const cancelling = new Set<string>()
  const free = ({ correlationId }: Task): boolean => !cancelling.has(correlationId)

  const make = async (task: Task, signal: AbortSignal): Promise<void> => {
    const { correlationId } = task
    await outbox.update(correlationId, { phase: 'making', status: 'Running' })
    try {
      signal.throwIfAborted()
      const { bytes, fileName, ...form } = await options.make(task, outbox.filePath(correlationId), signal)
      const change = { phase: 'sending', bytesTotal: bytes, fileName, form, blocksDone: 0 } as const
      onStep(await outbox.update(correlationId, change), 'made')
    } catch (error) {
      if (signal.aborted) return
      const message = `the file could not be made: ${error instanceof Error ? error.message : String(error)}`
      await sender.fail(task, message)
      return
    }
    const keep = new Set([correlationId, ...(sending === null ? [] : [sending])])
    for (const lost of await outbox.enforceQuota(keep)) await sender.fail(lost, 'its file was dropped for newer ones')
  }

  const makeAll = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const next = outbox.tasks().filter(free).find(isUnmade)
      if (next) {
        await underWay.run(next.correlationId, signal, stop => make(next, stop))
        doors.send.ring()
      } else await doors.make.rung(signal)
    }
  }

  const sendAll = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const due = outbox
        .tasks()
        .filter(free)
        .filter(isUnsent)
        .map(task => ({ task, dueMs: sender.dueMs(task) }))
        .sort((a, b) => a.dueMs - b.dueMs)[0]
      if (!due) await doors.send.rung(signal)
      else if (due.dueMs > nowMs()) await doors.send.rung(signal, bell => wait(due.dueMs - nowMs(), bell))
      else {
        sending = due.task.correlationId
        try {
          await underWay.run(sending, signal, stop => sender.send(due.task, stop))
        } finally {
          sending = null
        }
      }
    }
  }

  return {
    part: {
      name: 'uploader',
      async run(signal) {
        await Promise.all([makeAll(signal), sendAll(signal)])
      },
    },

    busy: () => outbox.tasks().find(isUnmade)?.correlationId ?? sending,

    async accept(request, sasUrl) {
      if (sasUrl === null && options.link === null) {
        throw new AgentError('UPLOAD_REFUSED', 'this identity has no file upload, and no sasUrl was given')
      }
      if (sasUrl !== null) rememberSasUrl(sasUrl, secrets)
      const task = newTask(request, sasUrl, blockBytes)
      await outbox.add(task)
      onStep(task, 'accepted')
      doors.make.ring()
      return task
    },

    async acceptDone(request, message) {
      const task: Task = { ...newTask(request, null, blockBytes), phase: 'done', status: 'Completed', message }
      await outbox.add(task)
      onStep(task, 'completed')
      return task
    },

    async cancel(correlationId) {
      const found = outbox.find(correlationId)
      if (found === null || !isStoppable(found) || cancelling.has(correlationId)) return found
      cancelling.add(correlationId)
      try {
        await underWay.stop(correlationId)
        const stopped = outbox.find(correlationId) ?? found
        if (!isStoppable(stopped)) return stopped
        const cancelled = await sender.end(stopped, 'Cancelled', 'cancelled')
        await outbox.removeFile(correlationId)
        return cancelled
      } finally {
        cancelling.delete(correlationId)
        doors.make.ring()
        doors.send.ring()
      }
    },
  }
}

const newTask = (request: Request, sasUrl: string | null, blockBytes: number): Task => ({
  version: 1,
  correlationId: randomUUID(),
  acceptedAt: new Date().toISOString(),
  request,
  sasUrl,
  phase: 'queued',
  status: 'NotStarted',
  message: '',
  fileName: null,
  blobName: null,
  bytesTotal: null,
  blockBytes,
  blocksDone: 0,
  uploadId: null,
  owed: [],
  troubleMs: 0,
})

const isStoppable = (task: Task): boolean => isUnmade(task) || task.phase === 'sending'

/** Work that can be ended by its name, besides by the signal that ends all of it. */
function createStoppable() {
  const running = new Map<string, Readonly<{ stop(): void; ended: Promise<void> }>>()

  return {
    async run(name: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
      const controller = new AbortController()
      const stop = (): void => controller.abort()
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      const ended = work(controller.signal).finally(() => {
        running.delete(name)
        signal.removeEventListener('abort', stop)
      })
      running.set(name, { stop, ended })
      await ended
    },
    /** Resolves when it does nothing more. */
    async stop(name: string): Promise<void> {
      const work = running.get(name)
      work?.stop()
      await work?.ended.catch(() => 'whoever runs it hears of it')
    },
  }
}

const defaultWait = (delayMs: number, signal: AbortSignal): Promise<void> => sleep(delayMs, undefined, { signal })
