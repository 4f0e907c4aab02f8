/** One upload that was asked for, from its acceptance to its end: what is known of it and what of that may be told. */
import type { UploadResult } from '../../transports/file-upload.js'
import type { LogFilter, LogForm } from '../evidence/log-filter.js'
import type { Window } from '../evidence/window.js'

/** As IoT Edge's agent names them. */
export type TaskStatus = 'NotStarted' | 'Running' | 'Completed' | 'Cancelled' | 'Failed'

/**
 * - `queued`, `making`: there is no file yet.
 * - `sending`: the file lies in the outbox.
 * - `notifying`: the blob is whole, and the hub is still to be told.
 * - `done`: it has a final status; the hub may still be owed a word.
 */
export type TaskPhase = 'queued' | 'making' | 'sending' | 'notifying' | 'done'

export type Request = Readonly<{
  window: Window
  /** For the bundle's manifest: who asked, and why. */
  requestedBy: string
  why: string
  /** What of a bundle, and how large at most; left out: everything, and what the configuration says. */
  types?: readonly string[]
  bytesMax?: number
  /** What has asked for it, where it must not ask twice: kept with the task, so that there is no moment in between. */
  trigger?: string
  /** Log lines alone, as a file; left out: a bundle. */
  logs?: LogFileRequest
}>

export type LogFileRequest = LogForm & Readonly<{ filter: LogFilter }>

/** How what was made of a request is called where it goes, and what it is there. */
export type FileForm = Readonly<{
  fileName: string
  /** In front of the name in a container of somebody's own; the hub puts the device's id there by itself. */
  folder?: string
  /** Default: `application/zip`. */
  contentType?: string
  contentEncoding?: string
}>

/** An upload that the hub knows of and has not been told the end of. */
export type OwedNotice = Readonly<{ uploadId: string; result: UploadResult }>

/**
 * As it lies in the outbox, in a file that only our own user may read: `sasUrl` is a secret, and it has to be there for
 * the task to survive a restart. It is removed as soon as the task is done.
 */
export type Task = Readonly<{
  version: 1
  correlationId: string
  /** RFC 3339. */
  acceptedAt: string
  request: Request
  /** `null`: by the hub's own file upload. */
  sasUrl: string | null
  phase: TaskPhase
  status: TaskStatus
  /** For people; while it runs, what the last try failed of. */
  message: string
  /** The bundle's or log file's own name; `null` until it is made. */
  fileName: string | null
  form?: Omit<FileForm, 'fileName'>
  /** The name in the container. */
  blobName: string | null
  bytesTotal: number | null
  blockBytes: number
  /** Acknowledged by the storage, from the first on. */
  blocksDone: number
  /** The hub's name for the upload that is under way. */
  uploadId: string | null
  owed: readonly OwedNotice[]
  /** How long it has failed since it last came forward; time without power does not count. */
  troubleMs: number
}>

/** What GetTaskStatus answers. */
export type TaskView = Readonly<{
  correlationId: string
  status: TaskStatus | 'Unknown'
  message: string
  bytesDone: number | null
  bytesTotal: number | null
  blobName: string | null
}>

export function viewOf(task: Task): TaskView {
  const { correlationId, status, message, bytesTotal, blocksDone, blockBytes, blobName } = task
  const bytesDone = bytesTotal === null ? null : Math.min(blocksDone * blockBytes, bytesTotal)
  return { correlationId, status, message, bytesDone, bytesTotal, blobName }
}

/** A task in the history that `hubrec status` and GetStatus show; holds nothing of a `sasUrl`. */
export type TaskSummary = TaskView &
  Readonly<{
    /** RFC 3339. */
    acceptedAt: string
    kind: 'bundle' | 'logs'
    /** RFC 3339; `null` where a side is open. */
    window: Readonly<{ from: string | null; to: string | null }>
    requestedBy: string
    why: string
  }>

export function summaryOf(task: Task): TaskSummary {
  const { acceptedAt, request } = task
  const { window, requestedBy, why } = request
  return {
    ...viewOf(task),
    acceptedAt,
    kind: request.logs ? 'logs' : 'bundle',
    window: { from: timeOf(window.since), to: timeOf(window.until) },
    requestedBy,
    why,
  }
}

/** A time that no date can say is an open side. */
function timeOf(ms: number | undefined): string | null {
  const date = new Date(ms ?? Number.NaN)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

export const unknownTask = (correlationId: string): TaskView => ({
  correlationId,
  status: 'Unknown',
  message: 'this device knows no such task',
  bytesDone: null,
  bytesTotal: null,
  blobName: null,
})

/** Tasks that wait for their file or have it made. */
export const isUnmade = ({ phase }: Task): boolean => phase === 'queued' || phase === 'making'

/** Tasks that need the network. */
export const isUnsent = ({ phase, owed }: Task): boolean =>
  phase === 'sending' || phase === 'notifying' || (phase === 'done' && owed.length > 0)

/** A file of the outbox that is not one of ours, or of another version, is `null`. */
export function readTask(text: string): Task | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  return isTask(value) ? value : null
}

/** We wrote the file ourselves, by rename; this tells it from somebody else's, and from a broken disk's. */
function isTask(value: unknown): value is Task {
  if (typeof value !== 'object' || value === null) return false
  const task = value as Partial<Record<keyof Task, unknown>>
  const isText = (...fields: unknown[]): boolean => fields.every(field => typeof field === 'string')
  const isCount = (...fields: unknown[]): boolean => fields.every(field => Number.isSafeInteger(field))
  return (
    task.version === 1 &&
    isText(task.correlationId, task.acceptedAt, task.phase, task.status, task.message) &&
    isCount(task.blockBytes, task.blocksDone) &&
    typeof task.request === 'object' &&
    task.request !== null &&
    (task.sasUrl === null || (typeof task.sasUrl === 'string' && URL.canParse(task.sasUrl))) &&
    Array.isArray(task.owed)
  )
}
