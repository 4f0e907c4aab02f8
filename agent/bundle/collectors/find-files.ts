/** Which files the patterns of a configuration lead to, the newest first. */
import { lstat } from 'node:fs/promises'
import type { CollectorSettings } from '../../config/config.js'

export type Found = Readonly<{
  /** The newest first. */
  files: readonly Readonly<{ path: string; bytes: number }>[]
  /** Paths beyond those, which are too many. */
  leftOut: number
  patterns: readonly Readonly<{ pattern: string; files: number; problem: string | null }>[]
}>

export const filesMax = 100

/** Paths that are looked at to find the newest. */
const looksMax = 10_000

/** Levels below a root. */
const deep = 16

/** @param signal what takes longer is a problem of its pattern */
export async function findFiles(
  { files, fileRoots }: Pick<CollectorSettings, 'files' | 'fileRoots'>,
  signal: AbortSignal,
): Promise<Found> {
  const all = new Set<string>()
  // Loaded when it is wanted: a daemon that gathers no files does without.
  const { glob } = await import('tinyglobby')
  const patterns: { pattern: string; files: number; problem: string | null }[] = []
  for (const pattern of files) {
    try {
      // The longest, so that as little as possible is looked through.
      const cwd = fileRoots.filter(root => pattern.startsWith(`${root}/`)).sort((a, b) => b.length - a.length)[0] ?? '/'
      const found = await orAborted(glob(pattern, { ...options, cwd, signal }), signal)
      for (const path of found) all.add(path)
      patterns.push({ pattern, files: found.length, problem: null })
    } catch (error) {
      patterns.push({ pattern, files: 0, problem: error instanceof Error ? error.message : String(error) })
    }
  }
  const looked = await orAborted(newestFirst([...all].slice(0, looksMax)), signal).catch(() => [])
  const taken = looked.slice(0, filesMax)
  return { files: taken, leftOut: all.size - taken.length, patterns }
}

const options = { absolute: true, dot: true, expandDirectories: false, followSymbolicLinks: false, deep } as const

async function newestFirst(paths: readonly string[]): Promise<Found['files'][number][]> {
  const dated: { path: string; bytes: number; mtimeMs: number }[] = []
  for (const path of paths) {
    // What cannot be looked at is opened all the same, to say why.
    const { size, mtimeMs } = await lstat(path).catch(() => ({ size: 0, mtimeMs: 0 }))
    dated.push({ path, bytes: size, mtimeMs })
  }
  const sorted = dated.sort((a, b) => b.mtimeMs - a.mtimeMs || (a.path < b.path ? -1 : 1))
  return sorted.map(({ path, bytes }) => ({ path, bytes }))
}

/** A directory that does not answer keeps its question; nobody waits for it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => 'perhaps nobody waits for it')
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
