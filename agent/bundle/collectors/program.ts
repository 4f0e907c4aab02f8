/** Runs a program for what it prints: as long as it may, and ended with its children. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { PassThrough, type Readable } from 'node:stream'
import { childEnvironment } from '../../child-environment.js'
import { Skipped, TimeOver } from '../part.js'
import type { HostCommand } from './host-commands.js'

export type ProgramOptions = Readonly<{
  /** Where programs are looked for, as in `$PATH`. */
  searchPath: string
  timeLimitMs: number
  signal: AbortSignal
}>

/** What a program complains of, for the manifest. */
const complaintCharactersMax = 500

/** A program that has ended may have left a child that holds its output: so long it may write on. */
const lingerMs = 250

/**
 * Its output as it comes. Whoever stops listening ends the program; whatever it has started in its own process group is
 * ended with it. It runs at low priority, and gets nothing of our environment, which may hold the connection string.
 *
 * @throws after what it printed: Skipped where it is not installed, TimeOver, the signal's reason, an Error with what it
 *   complained of, also when it ended well otherwise
 */
export async function* runProgram(command: HostCommand, options: ProgramOptions): AsyncGenerator<Buffer> {
  const { program, alsoFine = [] } = command
  const { searchPath, timeLimitMs, signal } = options
  signal.throwIfAborted()
  const child = spawn(program, command.arguments, {
    env: { ...childEnvironment({ PATH: searchPath }), LC_ALL: 'C.UTF-8' },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts can be ended with it.
    detached: true,
  })
  const exited = exitOf(child)
  const cut = new AbortController()
  const end = (why: unknown): void => {
    if (!cut.signal.aborted) cut.abort(why)
    killGroup(child)
    // A process that hangs in the kernel does not hear of its end, and is not waited for.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const over = new Promise<never>((_resolve, reject) => {
    cut.signal.addEventListener('abort', () => reject(cut.signal.reason), { once: true })
  })
  over.catch(() => 'perhaps nobody waits for it')
  const stop = (): void => end(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  const limit = setTimeout(() => end(new TimeOver(timeLimitMs)), timeLimitMs)
  try {
    if (child.pid !== undefined) calm(child.pid)
    const complaint = command.errorsToo ? () => '' : beginningOf(child.stderr)
    const output = command.errorsToo ? together([child.stdout, child.stderr]) : child.stdout
    try {
      for await (const chunk of output) yield chunk
    } catch (error) {
      // Closed by ourselves, or never opened because there is no such program.
      if (!cut.signal.aborted && child.pid !== undefined) throw error
    }
    const { code, killedBy } = await Promise.race([over, exited])
    if (killedBy !== null) throw new Error(`${program} was ended by ${killedBy}${saying(complaint())}`)
    if (code !== 0 && !alsoFine.includes(code ?? 0))
      throw new Error(`${program} ended with ${code}${saying(complaint())}`)
    if (complaint() !== '') throw new Error(`${program} complained${saying(complaint())}`)
  } finally {
    clearTimeout(limit)
    signal.removeEventListener('abort', stop)
    end(new Error('nobody listens any more'))
    child.unref()
  }
}

type Exit = Readonly<{ code: number | null; killedBy: string | null }>

function exitOf(child: ChildProcess): Promise<Exit> {
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Skipped(`${child.spawnfile} is not installed`) : error)
    })
    let linger: NodeJS.Timeout | undefined
    child.once('exit', () => {
      linger = setTimeout(killGroup, lingerMs, child, true)
    })
    child.once('close', (code, killedBy) => {
      clearTimeout(linger)
      resolve({ code, killedBy })
    })
  })
  exited.catch(() => 'perhaps nobody waits for it')
  return exited
}

/** What else this device does comes first. */
function calm(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch (error) {
    // It has ended already, or somebody has forbidden it: then it is as important as we are.
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}

function killGroup(child: ChildProcess, isLeaderGone = false): void {
  if (child.pid === undefined) return
  if (!isLeaderGone && (child.exitCode !== null || child.signalCode !== null)) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // All of them have ended in between.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** As they come, until both have ended. */
function together(streams: readonly Readable[]): Readable {
  const all = new PassThrough()
  let open = streams.length
  for (const stream of streams) {
    stream.pipe(all, { end: false })
    stream.once('close', () => {
      open -= 1
      if (open === 0) all.end()
    })
  }
  return all
}

function beginningOf(stream: Readable): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (piece: string) => {
    if (text.length < complaintCharactersMax) text = (text + piece).slice(0, complaintCharactersMax)
  })
  return () => text.trim().replaceAll(/\s*\n\s*/g, '; ')
}

const saying = (complaint: string): string => (complaint === '' ? '' : `: ${complaint}`)
