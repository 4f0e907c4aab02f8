/**
 * Files that wait to be uploaded, and what became of those that were: `<correlationId>.json`, and beside it a bundle,
 * `<correlationId>.zip`, or log lines, `<correlationId>.log`, in one directory. A task survives restarts and power cuts under the same id.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secrets } from '../../transports/secrets.js'
import { removeIfThere, writeFileDurably } from '../durable-file.js'
import { AgentError } from '../errors.js'
import { isMissing } from '../exists.js'
import { makeDirectory } from '../make-directory.js'
import { isUnmade, isUnsent, readTask, summaryOf, type Task, type TaskSummary } from './task.js'

export type OutboxOptions = Readonly<{
  dir: string
  /** Learns the `sasUrl` of each task that is found. */
  secrets: Secrets
  /** All files together; the oldest go first. Default: 64 MiB. */
  quotaBytes?: number
  /** Told of what was dropped, and of what cannot be read. */
  warn(message: string): void
}>

export interface Outbox {
  /** Oldest first. */
  tasks(): readonly Task[]
  find(correlationId: string): Task | null
  /** Known at once; on disk when the promise resolves. What it rejects with leaves no task behind. */
  add(task: Task): Promise<void>
  /** Known at once; on disk when the promise resolves. While the disk refuses, it is known in memory and `warn` is told. */
  update(correlationId: string, change: Partial<Task>): Promise<Task>
  /** Where a task's file lies or will lie. */
  filePath(correlationId: string): string
  removeFile(correlationId: string): Promise<void>
  /**
   * Makes room: the oldest files go until all fit, but none of those to keep.
   *
   * @returns the unfinished tasks that lost theirs
   */
  enforceQuota(keep: ReadonlySet<string>): Promise<readonly Task[]>
  /** Holds when room is made next. */
  setQuota(bytes: number): void
  state(): Promise<OutboxState>
}

/** `tasks`: the newest ten, the newest first. */
export type OutboxState = Readonly<{
  /** Tasks that are not done, or whose end the hub has not been told. */
  waiting: number
  bytes: number
  budgetBytes: number | null
  tasks: readonly TaskSummary[]
}>

const quotaBytesDefault = 64 << 20

/** Finished tasks that GetTaskStatus can still be asked about. */
const finishedMax = 50

const ownFile = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(json|zip|log)(\.tmp)?$/

/** Reads what an earlier run has left. A directory that cannot be read is an empty outbox, and said. */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { dir, secrets, warn } = options
  let { quotaBytes = quotaBytesDefault } = options
  const tasks = new Map<string, Task>()
  const writing = new Map<string, Promise<void>>()
  const filePath = (correlationId: string): string => {
    const task = tasks.get(correlationId)
    return join(dir, task ? fileNameOf(task) : `${correlationId}.zip`)
  }
  const jsonPath = (correlationId: string): string => join(dir, `${correlationId}.json`)

  /** One write at a time for each task, and always of its newest state. */
  const save = (correlationId: string): Promise<void> => {
    const before = writing.get(correlationId) ?? Promise.resolve()
    const after = before
      .catch(() => 'the one before has told its own caller')
      .then(async () => {
        const task = tasks.get(correlationId)
        if (task) await writeFileDurably(jsonPath(correlationId), JSON.stringify(task), 0o600)
      })
    writing.set(correlationId, after)
    return after.finally(() => {
      if (writing.get(correlationId) === after) writing.delete(correlationId)
    })
  }

  const remove = async (correlationId: string): Promise<void> => {
    const file = filePath(correlationId)
    tasks.delete(correlationId)
    await save(correlationId)
    await removeIfThere(jsonPath(correlationId))
    await removeIfThere(file)
  }

  const forgetOldest = async (): Promise<void> => {
    const finished = [...tasks.values()].filter(task => task.phase === 'done' && !isUnsent(task))
    for (const { correlationId } of finished.slice(0, -finishedMax)) await remove(correlationId)
  }

  const fileBytes = async (correlationId: string): Promise<number> =>
    stat(filePath(correlationId)).then(
      ({ size }) => size,
      () => 0,
    )

  try {
    await makeDirectory(dir, 0o700)
    for (const task of await readLeft(dir, warn)) {
      if (task.sasUrl !== null) rememberSasUrl(task.sasUrl, secrets)
      tasks.set(task.correlationId, task)
      // Between the end of a task and the end of its file a power cut may lie. A failed one keeps its file.
      if (task.phase === 'done' && task.status !== 'Failed') await removeIfThere(filePath(task.correlationId))
    }
    await forgetOldest()
  } catch (error) {
    warn(`the outbox cannot be read: ${codeOf(error)}`)
  }

  return {
    tasks: () => [...tasks.values()],
    find: correlationId => tasks.get(correlationId) ?? null,
    filePath,

    async add(task) {
      tasks.set(task.correlationId, task)
      try {
        await makeDirectory(dir, 0o700)
        await save(task.correlationId)
        await forgetOldest()
      } catch (error) {
        await remove(task.correlationId).catch((left: unknown) =>
          warn(`a refused task was left behind: ${codeOf(left)}`),
        )
        throw error
      }
    },

    async update(correlationId, change) {
      const task = tasks.get(correlationId)
      if (!task) throw new Error(`no task ${correlationId}`)
      const changed: Task = { ...task, ...change }
      tasks.set(correlationId, changed)
      await save(correlationId).catch((error: unknown) =>
        warn(`the state of task ${correlationId} could not be written: ${codeOf(error)}`),
      )
      return changed
    },

    removeFile: correlationId => removeIfThere(filePath(correlationId)),

    async enforceQuota(keep) {
      const sizes = new Map<Task, number>()
      for (const task of tasks.values()) sizes.set(task, await fileBytes(task.correlationId))
      let total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
      const lost: Task[] = []
      for (const [task, bytes] of sizes) {
        if (total <= quotaBytes) break
        if (bytes === 0 || keep.has(task.correlationId)) continue
        await removeIfThere(filePath(task.correlationId))
        total -= bytes
        warn(`the outbox was over ${quotaBytes} bytes: the file of task ${task.correlationId} was dropped`)
        if (task.phase !== 'done') lost.push(task)
      }
      return lost
    },

    setQuota(bytes) {
      quotaBytes = bytes
    },

    async state() {
      const all = [...tasks.values()]
      const sizes = await Promise.all(all.map(({ correlationId }) => fileBytes(correlationId)))
      return stateOf(all, sizes, quotaBytes)
    },
  }
}

const shownMax = 10

const stateOf = (tasks: readonly Task[], sizes: readonly number[], budgetBytes: number | null): OutboxState => ({
  waiting: tasks.filter(task => isUnmade(task) || isUnsent(task)).length,
  bytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
  budgetBytes,
  tasks: tasks.slice(-shownMax).reverse().map(summaryOf),
})

/**
 * What lies there without a daemon; changes nothing. A directory that is not there is an empty outbox.
 *
 * @throws AgentError `RING_UNREADABLE` where it may not be read, or cannot be
 */
export async function readOutbox(dir: string): Promise<OutboxState> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return []
    throw new AgentError('RING_UNREADABLE', `${dir} cannot be read: ${error.code}`, [], { cause: error })
  })
  const tasks: Task[] = []
  const sizes: number[] = []
  for (const name of names) {
    const [, , kind, temporary] = ownFile.exec(name) ?? []
    if (temporary || !kind) continue
    const path = join(dir, name)
    // A daemon may be at work on another file of it at this moment.
    if (kind === 'json')
      tasks.push(...[await readFile(path, 'utf8').then(readTask, gone)].filter(task => task !== null))
    else
      sizes.push(
        await stat(path).then(
          ({ size }) => size,
          () => 0,
        ),
      )
  }
  return stateOf(byAge(tasks), sizes, null)
}

function gone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

const byAge = (tasks: Task[]): Task[] => tasks.sort((a, b) => (a.acceptedAt < b.acceptedAt ? -1 : 1))

/** The tasks by age. What belongs to none is removed; a file that is not whole has to be made again. */
async function readLeft(dir: string, warn: (message: string) => void): Promise<Task[]> {
  const tasks: Task[] = []
  const names = await readdir(dir)
  for (const name of names) {
    const [, correlationId = '', kind, temporary] = ownFile.exec(name) ?? []
    const isOrphan = kind !== 'json' && !names.includes(`${correlationId}.json`)
    if (temporary || (isOrphan && kind)) await removeIfThere(join(dir, name))
    if (temporary || kind !== 'json') continue
    const task = readTask(await readFile(join(dir, name), 'utf8'))
    if (task?.correlationId === correlationId) tasks.push(await withFile(dir, task))
    else warn(`${name} in the outbox cannot be read and is left alone`)
  }
  return byAge(tasks)
}

async function withFile(dir: string, task: Task): Promise<Task> {
  if (task.phase === 'making') return { ...task, phase: 'queued' }
  if (task.phase !== 'sending') return task
  const bytes = await stat(join(dir, fileNameOf(task))).then(
    ({ size }) => size,
    () => null,
  )
  return bytes === task.bytesTotal ? task : { ...task, phase: 'queued', blocksDone: 0 }
}

const fileNameOf = ({ correlationId, request }: Task): string => `${correlationId}.${request.logs ? 'log' : 'zip'}`

/** The whole URL and its signature are secrets from the moment they are known. */
export function rememberSasUrl(sasUrl: string, secrets: Secrets): void {
  secrets.add('sas-url', sasUrl)
  for (const signature of new URL(sasUrl).searchParams.getAll('sig')) secrets.add('storage-signature', signature)
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)
