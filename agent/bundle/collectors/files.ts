/**
 * `collectors/files/PATH`: the newest lines of files that patterns lead to, and `collectors/files.json`: what was found. A disk that
 * does not answer holds one of Node's few threads, so after the first such file no other is opened.
 */
import type { FileHandle } from 'node:fs/promises'
import { type Part, type PartContext, Skipped, TimeOver } from '../part.js'
import type { CollectContext, Collector } from './collector.js'
import { writingMs } from './collector.js'
import { type Found, findFiles } from './find-files.js'
import { redactedLines } from './lines.js'
import { type Bounds, openFile } from './open-file.js'

export const files: Collector = {
  name: 'files',
  async *partsOf(settings, context) {
    if (settings.files.length === 0) return
    const limitMs = settings.timeLimitSeconds * 1e3
    const found = await findFiles(settings, limited(context.signal, limitMs))
    yield index(found)
    const bounds = { roots: settings.fileRoots, refused: [context.stateDir] }
    const names = new Set<string>()
    const busy: Busy = { path: null }
    for (const { path, bytes } of found.files) {
      const options = { name: entryName(path, names, context), bytesMax: settings.bytesMax, limitMs, bounds, busy }
      yield { ...filePart(path, options), bytesMax: Math.min(bytes, settings.bytesMax) }
    }
  },
}

/** The file that is being read, or that never came back. */
type Busy = { path: string | null }

const index = ({ files, leftOut, patterns }: Found): Part => ({
  name: 'collectors/files.json',
  timeLimitMs: writingMs,
  async *content({ json }) {
    yield `${JSON.stringify(JSON.parse(json({ patterns, files, leftOut })), null, 2)}\n`
  },
  shortcoming: () => (leftOut > 0 ? `${leftOut} older files were left out` : null),
})

type FileOptions = Readonly<{ name: string; bytesMax: number; limitMs: number; bounds: Bounds; busy: Busy }>

const filePart = (path: string, { name, bytesMax, limitMs, bounds, busy }: FileOptions): Part => ({
  name,
  timeLimitMs: limitMs,
  async *content(context) {
    if (busy.path !== null) throw new Skipped('another file has not come back')
    busy.path = path
    const { handle, bytes } = await openFile(path, bounds).catch(error => {
      busy.path = null
      throw error
    })
    try {
      yield* redactedLines(newestOf(handle, bytes, bytesMax, context), bytesMax, context)
    } finally {
      busy.path = null
      await handle.close()
    }
    if (bytes > bytesMax) throw new Error(`the newest ${bytesMax} of ${bytes} bytes, which is all it may have`)
  },
})

const chunkBytes = 64 << 10

/** From the first line that is whole; never more than there was when it was opened, however it grows. */
async function* newestOf(
  handle: FileHandle,
  bytes: number,
  bytesMax: number,
  { signal }: Pick<PartContext, 'signal'>,
): AsyncGenerator<Buffer> {
  // One byte more tells whether a line begins there.
  let position = Math.max(0, bytes - bytesMax - 1)
  let isWhole = position === 0
  while (position < bytes) {
    signal.throwIfAborted()
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - position))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return
    const chunk = buffer.subarray(0, bytesRead)
    if (chunk.includes(0)) throw new Skipped('it is no text, or has holes')
    position += bytesRead
    if (isWhole) {
      yield chunk
      continue
    }
    const lineEnd = chunk.indexOf(0x0a)
    if (lineEnd === -1) continue
    isWhole = true
    yield chunk.subarray(lineEnd + 1)
  }
}

const nameCharactersMax = 200

/** Of characters that every file system takes, and without what a path may tell. */
function entryName(path: string, taken: Set<string>, { text }: Pick<CollectContext, 'text'>): string {
  const plain = text(path)
    .replaceAll(/[^A-Za-z0-9._/@+-]/g, '_')
    .slice(-nameCharactersMax)
    .replace(/^\/+/, '')
  let name = `collectors/files/${plain}`
  for (let n = 2; taken.has(name); n++) name = `collectors/files/${plain}~${n}`
  taken.add(name)
  return name
}

/** Aborts with the bundle, or when the time is over. */
function limited(signal: AbortSignal, limitMs: number): AbortSignal {
  const limit = new AbortController()
  setTimeout(() => limit.abort(new TimeOver(limitMs)), limitMs).unref()
  return AbortSignal.any([signal, limit.signal])
}
