/** What a process said on stderr before it ended without a goodbye, where that can still be had. */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open, readlink, stat } from 'node:fs/promises'
import { childEnvironment } from '../child-environment.js'

/** What a run remembers of its stderr for the next one; `bytes` is how long the file was then. */
export type Stderr =
  | Readonly<{ kind: 'file'; path: string; dev: number; ino: number; bytes: number }>
  | Readonly<{ kind: 'journal' }>
  | Readonly<{ kind: 'other'; what: string }>

/** The run that is gone. */
export type Gone = Readonly<{ pid: number; bootId: string; stderr: Stderr }>

export type LastWords = Readonly<{ text: string } | { unknown: string }>

export const lastWordsBytesMax = 4 << 10

/** No secret is longer, in any of its spellings: where a text was cut, this much may hold the rest of one. */
const secretMax = 2 << 10

/** Read beyond what is kept, for that reason. */
const leadBytes = 4 << 10

const journalTimeLimitMs = 2_000
const journalLines = 50

export type StderrOptions = Readonly<{
  env: NodeJS.ProcessEnv
  /** In place of this process's own. */
  link?: string
}>

export async function describeStderr({ env, link = '/proc/self/fd/2' }: StderrOptions): Promise<Stderr> {
  try {
    const found = await stat(link)
    const { dev, ino, size } = found
    if (found.isFile()) return { kind: 'file', path: await readlink(link), dev, ino, bytes: size }
    // systemd says which stream is the journal's, because a process may have been given another one.
    if (env.JOURNAL_STREAM === `${dev}:${ino}`) return { kind: 'journal' }
    if (found.isFIFO()) return { kind: 'other', what: 'a pipe' }
    if (found.isSocket()) return { kind: 'other', what: 'a socket' }
    return { kind: 'other', what: await readlink(link) }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { kind: 'other', what: `unknown (${error.code})` }
    throw error
  }
}

export type LastWordsOptions = Readonly<{
  /** This run's own: what it has said itself is not the last word of the other. */
  own: Stderr
  /** Takes the secrets out. */
  redact: (text: string) => string
  /** In place of the system's. */
  journalctl?: string
  timeLimitMs?: number
}>

/** Never rejects. */
export async function lastWords({ pid, bootId, stderr }: Gone, options: LastWordsOptions): Promise<LastWords> {
  const { own, redact, journalctl = 'journalctl', timeLimitMs = journalTimeLimitMs } = options
  if (stderr.kind === 'other') return { unknown: `its stderr was ${stderr.what}` }
  const found =
    stderr.kind === 'file' ? await endOfFile(stderr, own) : await endOfJournal(journalctl, { pid, bootId }, timeLimitMs)
  if ('unknown' in found) return found
  const text = redact(found.bytes.toString('utf8'))
  return { text: ending(found.isCut ? text.slice(secretMax) : text) }
}

type Found = Readonly<{ bytes: Buffer; isCut: boolean } | { unknown: string }>

async function endOfFile(then: Extract<Stderr, { kind: 'file' }>, own: Stderr): Promise<Found> {
  let file: FileHandle | null = null
  try {
    file = await open(then.path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { dev, ino, size } = await file.stat()
    if (dev !== then.dev || ino !== then.ino) return { unknown: `${then.path} is another file by now` }
    const isOurs = own.kind === 'file' && own.dev === dev && own.ino === ino
    const end = isOurs ? Math.min(own.bytes, size) : size
    if (end < then.bytes) return { unknown: `${then.path} was emptied since` }
    const length = Math.min(end - then.bytes, lastWordsBytesMax + leadBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, end - length)
    return { bytes: buffer.subarray(0, bytesRead), isCut: end - length > then.bytes }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { unknown: `${then.path} cannot be read (${error.code})` }
    throw error
  } finally {
    await file?.close()
  }
}

function endOfJournal(
  command: string,
  { pid, bootId }: Readonly<{ pid: number; bootId: string }>,
  timeLimitMs: number,
): Promise<Found> {
  const args = [`_PID=${pid}`, `_BOOT_ID=${bootId.replaceAll('-', '')}`]
  const options = ['-o', 'cat', '-n', String(journalLines), '--no-pager', '-q']
  return new Promise(resolve => {
    const env = childEnvironment()
    const child = spawn(command, [...args, ...options], { stdio: ['ignore', 'pipe', 'ignore'], env })
    let bytes = Buffer.alloc(0)
    let isCut = false
    const timer = setTimeout(() => {
      resolve({ unknown: `${command} did not answer within ${timeLimitMs} ms` })
      child.kill('SIGKILL')
      child.stdout.destroy()
    }, timeLimitMs)
    child.stdout.on('data', (chunk: Buffer) => {
      const all = Buffer.concat([bytes, chunk])
      bytes = all.subarray(-(lastWordsBytesMax + leadBytes))
      isCut ||= bytes.length < all.length
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      resolve({ unknown: `${command} cannot be started (${error.code})` })
    })
    child.once('close', code => {
      clearTimeout(timer)
      if (code !== 0) resolve({ unknown: `${command} ended with ${code}` })
      // A run says at least that it has started.
      else if (bytes.length === 0)
        resolve({ unknown: 'the journal shows nothing of it; perhaps this user may not read it' })
      else resolve({ bytes, isCut })
    })
  })
}

/** By bytes, and not from the middle of a character. */
function ending(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= lastWordsBytesMax) return text
  return bytes
    .subarray(-lastWordsBytesMax)
    .toString('utf8')
    .replace(/^\ufffd+/, '')
}
