/**
 * The desired property `collect`: a bundle, once for each id. It is heard when the device connects, however long ago it was set; and it
 * is kept with its task, so that neither a restart nor a crash makes a second bundle of it.
 */
import { readFileSync } from 'node:fs'
import { writeFileDurably } from '../durable-file.js'
import { acceptBundle, type BundleContext } from '../methods/accept-upload.js'
import { Refusal } from '../methods/method.js'
import { readCollect } from '../methods/payloads.js'
import type { Outbox } from '../upload/outbox.js'
import { type Task, viewOf } from '../upload/task.js'
import { type Collected, readCollected } from './check.js'
import type { TwinOrder } from './order.js'
import { isObject, type Json } from './patch.js'

export type CollectOptions = Readonly<{
  /** collect.json */
  path: string
  context: BundleContext
  outbox: Pick<Outbox, 'tasks' | 'find'>
  /** May be asked again: it was busy. */
  later(): void
  /** Without secrets. */
  text(text: string): string
  warn(message: string, error?: unknown): void
}>

/** So many ids are known to be done; the desired properties hold one. */
const knownMax = 50

const textMax = 500

export const triggerOf = (id: string): string => `collect:${id}`

export function createCollect(options: CollectOptions): TwinOrder {
  const { path, context, outbox, later, text, warn } = options
  const known = new Map<string, Collected>()
  for (const entry of read(path, warn)) known.set(entry.id, entry)
  /** What the twin asks for now: done or under way, or refused. */
  let current: Collected | null = null
  let refused: Readonly<{ ac: number; av: number; ad: string; id: string | null }> | null = null
  let kept = JSON.stringify([...known.values()])
  let writing = Promise.resolve()

  const keep = (): Promise<void> => {
    const entries = JSON.stringify([...known.values()])
    if (entries === kept) return writing
    kept = entries
    writing = writing
      .then(() => writeFileDurably(path, `{"version":1,"collected":${entries}}\n`, 0o600))
      .catch((error: unknown) => warn('which bundles were collected cannot be kept over a restart', error))
    return writing
  }
  const taskOf = ({ id, correlationId }: Collected): Task | null =>
    outbox.find(correlationId) ?? outbox.tasks().findLast(({ request }) => request.trigger === triggerOf(id)) ?? null

  const remember = (entry: Collected): void => {
    known.delete(entry.id)
    known.set(entry.id, entry)
    for (const id of [...known.keys()].slice(0, -knownMax)) known.delete(id)
    current = entry
  }
  /** The task's own end outlives the task. */
  const follow = (entry: Collected): Collected => {
    const task = taskOf(entry)
    if (task === null) return entry
    const { status, message } = viewOf(task)
    const followed = { ...entry, correlationId: task.correlationId, status, message: text(message).slice(0, textMax) }
    known.set(entry.id, followed)
    return followed
  }

  return {
    name: 'collect',
    async take(value, version) {
      refused = null
      if (value === undefined || value === null) {
        current = null
        return
      }
      const { id } = isObject(value) ? value : {}
      const before = typeof id === 'string' ? (known.get(id) ?? underWay(outbox, id, version)) : null
      if (before) {
        remember(before)
        await keep()
        return
      }
      try {
        const { id, ...asked } = readCollect(value, context.nowMs())
        const by = { requestedBy: 'desired property collect', why: `asked for as ${id}`, trigger: triggerOf(id) }
        const task = await acceptBundle(asked, by, context)
        const { correlationId, status, message } = task
        remember({ id, version, correlationId, status, message })
      } catch (error) {
        current = null
        if (!(error instanceof Refusal)) warn('the bundle that the device twin asks for could not be taken on', error)
        const [ac, ad] =
          error instanceof Refusal
            ? [error.status, text(error.message).slice(0, textMax)]
            : [500, 'this failed inside hubrec; its own log says why']
        refused = { ac, av: version, ad, id: typeof id === 'string' && /^[\w.-]{1,64}$/.test(id) ? id : null }
        if (ac === 429) later()
      }
      await keep()
    },
    answers(): Json {
      if (refused) {
        const { id, ...answer } = refused
        return { collect: { ...(id === null ? {} : { value: { id } }), ...answer } }
      }
      if (!current) return {}
      current = follow(current)
      void keep()
      const { id, version, correlationId, status, message } = current
      const task = taskOf(current)
      const { bytesDone = null, bytesTotal = null, blobName = null } = task ? viewOf(task) : {}
      const details = Object.entries({ bytesDone, bytesTotal, blobName }).filter(([, value]) => value !== null)
      return {
        collect: {
          value: { id },
          ac: codeOf(status),
          av: version,
          ad: message === '' ? status : `${status}: ${message}`,
        },
        collected: { id, correlationId, status, ...Object.fromEntries(details) },
      }
    },
  }
}

/** In the words of IoT Plug and Play: done, being done, failed. */
function codeOf(status: string): number {
  if (status === 'Completed') return 200
  return status === 'NotStarted' || status === 'Running' ? 202 : 500
}

/** A crash came between the task and what is kept of it. */
function underWay(outbox: Pick<Outbox, 'tasks'>, id: string, version: number): Collected | null {
  const task = outbox.tasks().findLast(({ request }) => request.trigger === triggerOf(id))
  return task ? { id, version, correlationId: task.correlationId, status: task.status, message: task.message } : null
}

function read(path: string, warn: (message: string, error?: unknown) => void): readonly Collected[] {
  try {
    return readCollected(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (!('code' in error && error.code === 'ENOENT'))
      warn('collect.json cannot be read: a bundle that was collected may be collected again', error)
    return []
  }
}
