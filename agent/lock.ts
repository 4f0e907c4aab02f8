/**
 * Who writes to a state directory: one process at a time, and it can be asked who it is, whatever has become of its control socket and of
 * the directory.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, readlink, realpath } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import { childEnvironment } from './child-environment.js'
import { AgentError } from './errors.js'
import { listen } from './unix-socket.js'

/** What the process says of its control socket. `refusal`: the errno name why there is none; `null` where there is one. */
export type HeldSocket = Readonly<{ path: string; refusal: string | null }>

export type Holder = Readonly<{
  /** `null` where it does not say and the kernel does not tell this user. */
  pid: number | null
  /** `null` where it has none, as an application, or does not say. */
  control: HeldSocket | null
  /** Whether it said anything: one that was stopped holds on, and says nothing. */
  answers: boolean
  /** The kernel's letter for what it is doing: `T` is stopped. `null` where it is not shown. */
  state: string | null
}>

/**
 * Keeps a second writer off the same state, whatever sockets it is configured with: an abstract socket named by the
 * directory's real path, which the kernel gives to one process and takes back when that ends, however it ends.
 *
 * @param control what is told of the control socket to whoever asks
 * @throws AgentError `ALREADY_RUNNING`, with the pid where it can be found out
 */
export async function lockState(
  stateDir: string,
  control: () => HeldSocket | null = () => null,
): Promise<{ release(): void }> {
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.end(JSON.stringify({ pid: process.pid, control: control() }))
  })
  server.on('error', notTaken)
  await listen(server, await nameOf(stateDir)).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    const pid = (await holderOf(stateDir))?.pid
    throw new AgentError('ALREADY_RUNNING', `another hubrec${pid ? ` (pid ${pid})` : ''} writes to ${stateDir}`)
  })
  server.unref()
  return { release: () => void server.close() }
}

/** One that could not be taken, for want of descriptors perhaps, is no reason to end: whoever asked asks again. */
const notTaken = (): void => undefined

/** Who writes to the directory now; `null` where nobody does. */
export async function holderOf(stateDir: string): Promise<Holder | null> {
  const name = await nameOf(stateDir)
  const said = await askHolder(name)
  if (said === null) return null
  const told = parse(said)
  const pid = told?.pid ?? (await pidByKernel(name))
  return {
    pid,
    control: told?.control ?? null,
    answers: told !== null,
    state: pid === null ? null : await stateOf(pid),
  }
}

async function nameOf(stateDir: string): Promise<string> {
  const path = await realpath(stateDir)
    // What lies behind a link that this user may not follow has its name in the link.
    .catch(async () => resolve(dirname(stateDir), await readlink(stateDir)))
    .catch(() => resolve(stateDir))
  return `\0hubrec-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
}

const askedMs = 1_000
const saidCharsMax = 10_000

/** @returns `null` where nobody is there, an empty text where somebody is, and says nothing */
const askHolder = (name: string): Promise<string | null> =>
  new Promise(resolve => {
    const socket = connect(name)
    let isThere = false
    let said = ''
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isThere ? said : null)
    }
    const timer = setTimeout(done, askedMs)
    socket.setEncoding('utf8')
    socket.once('connect', () => {
      isThere = true
    })
    socket.on('data', text => {
      said += text
      if (said.length > saidCharsMax) done()
    })
    socket.once('end', done)
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // So many wait already that the kernel takes no more.
      if (error.code === 'EAGAIN') isThere = true
      done()
    })
  })

/** Anybody may listen at a name, so what is said need not be ours. */
function parse(said: string): Pick<Holder, 'pid' | 'control'> | null {
  try {
    const { pid, control } = JSON.parse(said) as {
      pid?: unknown
      control?: { path?: unknown; refusal?: unknown } | null
    }
    if (typeof pid !== 'number' || !Number.isInteger(pid)) return null
    if (!control || typeof control.path !== 'string') return { pid, control: null }
    return {
      pid,
      control: { path: control.path, refusal: typeof control.refusal === 'string' ? control.refusal : null },
    }
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Whoever may not see the descriptors of the process, as another user, is not told. */
const pidByKernel = (name: string): Promise<number | null> =>
  new Promise(resolve => {
    execFile('ss', ['-xlpH'], { timeout: 2_000, maxBuffer: 4 << 20, env: childEnvironment() }, (error, output) => {
      const line = error ? undefined : output.split('\n').find(each => each.includes(`@${name.slice(1)}`))
      const pid = Number(/pid=(\d+)/.exec(line ?? '')?.[1] ?? Number.NaN)
      resolve(Number.isNaN(pid) ? null : pid)
    })
  })

async function stateOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name before it is in brackets, and may hold any.
  return /^ ([A-Z])/i.exec(text.slice(text.lastIndexOf(')') + 1))?.[1] ?? null
}
