/** Writes a ZIP file entry by entry, with bounded memory and off the event loop; it is whole or not there. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import yazl from 'yazl'
import { removeIfThere, renameDurably } from '../durable-file.js'

/** What went into an entry: its uncompressed bytes, counted and hashed as they passed. */
export type Written = Readonly<{ bytes: number; sha256: string }>

export interface ZipWriter {
  /**
   * Resolves when all of the content has gone in. A content that throws ends its entry there, and then the promise
   * still resolves: what came before is in the file.
   *
   * @throws the file system's error when the file cannot be written; then nothing more can be added
   */
  add(name: string, content: AsyncIterable<Buffer>): Promise<Written>
  /** What has come out so far; a little more is on its way. */
  bytesWritten(): number
  /** The file has its name, and is on disk, when the promise resolves. @returns its bytes */
  finish(): Promise<number>
  /** Leaves no file behind. */
  discard(): Promise<void>
}

/** @param modifiedMs the time of every entry, so that the same content gives the same file */
export function createZip(file: string, modifiedMs: number): ZipWriter {
  const temporary = `${file}.tmp`
  const zip = new yazl.ZipFile()
  const output = createWriteStream(temporary, { mode: 0o600, flush: true })
  zip.outputStream.pipe(output)
  const written = finished(output)
  // Whoever adds or finishes hears of it; until then nobody has to.
  written.catch(() => undefined)
  zip.on('error', (error: Error) => output.destroy(error))
  const mtime = new Date(modifiedMs)

  return {
    async add(name, content) {
      const hash = createHash('sha256')
      let bytes = 0
      async function* counted(): AsyncGenerator<Buffer> {
        for await (const piece of content) {
          hash.update(piece)
          bytes += piece.length
          yield piece
        }
      }
      const source = Readable.from(endAtFailure(counted()), { objectMode: false })
      zip.addReadStream(source, name, { mtime, mode: 0o100644 })
      try {
        await Promise.race([once(source, 'end'), written.then(() => Promise.reject(new Error('the file was closed')))])
      } finally {
        source.destroy()
      }
      return { bytes, sha256: hash.digest('hex') }
    },

    bytesWritten: () => output.bytesWritten + output.writableLength,

    async finish() {
      zip.end()
      await written
      await renameDurably(temporary, file)
      return output.bytesWritten
    },

    async discard() {
      output.destroy()
      await written.catch(() => undefined)
      await removeIfThere(temporary)
    },
  }
}

/** The caller knows why its content failed; the archive only has to know that it has ended. */
async function* endAtFailure(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* content
  } catch {
    return
  }
}
