/** What a part keeps over restarts: one small file of JSON, whole or not there. */
import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { writeFileDurably } from './durable-file.js'

export interface KeptFile<Kept> {
  /** `null` where there is none, and where it cannot be read, which is warned of. */
  read(): Kept | null
  /** On disk when the promise resolves, or warned of. One is written after the other. */
  keep(next: Kept): Promise<void>
  /** Resolves when all that was to be kept is on disk, or warned of. */
  settled(): Promise<void>
}

export type KeptFileOptions<Schema> = Readonly<{
  path: string
  schema: Schema
  /** What it means that it cannot be read, and that it cannot be written. */
  unread: string
  unwritten: string
  warn(message: string, error?: unknown): void
}>

export function keptFile<Schema extends v.GenericSchema>(
  options: KeptFileOptions<Schema>,
): KeptFile<v.InferOutput<Schema>> {
  const { path, schema, unread, unwritten, warn } = options
  let writing = Promise.resolve()
  return {
    read() {
      try {
        return v.parse(schema, JSON.parse(readFileSync(path, 'utf8')))
      } catch (error) {
        if (!(error instanceof Error)) throw error
        if (!('code' in error && error.code === 'ENOENT')) warn(unread, error)
        return null
      }
    },
    keep(next) {
      const text = `${JSON.stringify(next)}\n`
      writing = writing
        .then(() => writeFileDurably(path, text, 0o600))
        .catch((error: unknown) => warn(unwritten, error))
      return writing
    },
    settled: () => writing,
  }
}
