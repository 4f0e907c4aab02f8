/** What a daemon writes down of its uploads, as somebody beside it sees it; it sees no step late, but may miss some. */
import { readFileSync, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readTask, type Task } from '../../agent/upload/task.js'

export interface OutboxWatch {
  /** As it lies on the disk at this moment. @throws Error where there is no such task */
  now(correlationId: string): Task
  /** The first state of a task that matches: the newest one, or one still to come. @throws Error after two minutes */
  until(match: (task: Task) => boolean): Promise<Task>
  /** Names that the hub gave to uploads, as the daemon knew them. */
  readonly uploadIds: ReadonlySet<string>
  close(): void
}

const patienceMs = 120_000

/** @param dir of the outbox, which is there already */
export async function watchOutbox(dir: string, onTask: (task: Task) => void = () => undefined): Promise<OutboxWatch> {
  const tasks = new Map<string, Task>()
  const uploadIds = new Set<string>()
  const listeners = new Set<(task: Task) => void>()

  const look = (name: string): void => {
    if (!name.endsWith('.json')) return
    const task = readTask(textOf(join(dir, name)))
    if (task === null) return
    tasks.set(task.correlationId, task)
    for (const id of [task.uploadId, ...task.owed.map(({ uploadId }) => uploadId)]) if (id !== null) uploadIds.add(id)
    onTask(task)
    for (const listener of [...listeners]) listener(task)
  }
  const watcher = watch(dir, (_event, name) => look(String(name)))
  for (const name of await readdir(dir)) look(name)

  return {
    now(correlationId) {
      const task = readTask(textOf(join(dir, `${correlationId}.json`)))
      if (task === null) throw new Error(`no task ${correlationId}`)
      return task
    },
    uploadIds,
    until(match) {
      const known = [...tasks.values()].find(match)
      if (known) return Promise.resolve(known)
      return new Promise((resolve, reject) => {
        const listener = (task: Task): void => {
          if (!match(task)) return
          clearTimeout(timer)
          listeners.delete(listener)
          resolve(task)
        }
        const timer = setTimeout(() => {
          listeners.delete(listener)
          reject(new Error(`no such state of a task within ${patienceMs} ms: ${JSON.stringify([...tasks.values()])}`))
        }, patienceMs)
        listeners.add(listener)
      })
    },
    close: () => watcher.close(),
  }
}

/** Read at once, so that what is seen is what is there now. A file that has just gone is empty. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
