/** What the host is, for a bundle: asked in a process of its own, because the asking starts others and blocks. */
import { type ChildProcess, fork } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '../child-environment.js'

/** In the order they are asked: what cannot hang first, so that a time limit costs as little as possible. */
export const inventoryParts = [
  'versions',
  'os',
  'time',
  'memory',
  'cpu',
  'board',
  'disks',
  'interfaces',
  'fileSystems',
] as const

export type InventoryPart = (typeof inventoryParts)[number]

/** What the child sends, once for each part. */
export type InventoryMessage = Readonly<
  { part: InventoryPart; value: object } | { part: InventoryPart; failed: string }
>

export type Inventory = Readonly<{
  durationMs: number
  parts: Readonly<Partial<Record<InventoryPart, object>>>
  /** Why each of the others is not there. */
  missing: Readonly<Partial<Record<InventoryPart, string>>>
}>

export type InventoryOptions = Readonly<{ timeLimitMs?: number; signal?: AbortSignal }>

/**
 * Never fails: what arrived until the time limit (10 s unless given) is kept, the rest is named. The child and whatever
 * it started are gone when the promise resolves.
 */
export async function takeInventory({ timeLimitMs = 10_000, signal }: InventoryOptions = {}): Promise<Inventory> {
  const startedMs = performance.now()
  const parts: Partial<Record<InventoryPart, object>> = {}
  const failed: Partial<Record<InventoryPart, string>> = {}
  const ended = signal?.aborted
    ? 'stopped before it was asked'
    : await runChild(timeLimitMs, signal, message => {
        if ('value' in message) parts[message.part] = message.value
        else failed[message.part] = message.failed
      }).catch(notStarted)
  const missing = inventoryParts.filter(part => !(part in parts)).map(part => [part, failed[part] ?? ended] as const)
  return { durationMs: Math.round(performance.now() - startedMs), parts, missing: Object.fromEntries(missing) }
}

/** @returns how it ended, in words for what is missing by then */
function runChild(
  timeLimitMs: number,
  signal: AbortSignal | undefined,
  listener: (message: InventoryMessage) => void,
): Promise<string> {
  return new Promise(resolve => {
    const child = start()
    let ended: string | null = null
    const end = (why: string) => {
      ended ??= why
      kill(child)
    }
    const stop = () => end('stopped before it was answered')
    const timer = setTimeout(end, timeLimitMs, `no answer within ${timeLimitMs} ms`)
    signal?.addEventListener('abort', stop)
    const finish = (why: string) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      resolve(ended ?? why)
    }
    // The child is our own code: its messages have the type it was compiled with.
    child.on('message', message => listener(message as InventoryMessage))
    child.once('error', error => finish(notStarted(error)))
    child.once('close', (code, name) => finish(`the inventory's process ended with ${name ?? `code ${code}`}`))
  })
}

const notStarted = (error: unknown): string => `the inventory's process could not be started: ${String(error)}`

const childPath = fileURLToPath(new URL('./inventory-child.js', import.meta.url))

function start(): ChildProcess {
  return fork(childPath, [], {
    env: childEnvironment(),
    execArgv: ['--max-old-space-size=64'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // A group of its own, so that what it has started can be ended with it.
    detached: true,
  })
}

function kill(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // It ended by itself in between.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
