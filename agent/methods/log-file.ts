/** Log lines as a file, named and shaped as IoT Edge's agent uploads them. */
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { removeIfThere, renameDurably } from '../durable-file.js'
import type { LogFileRequest } from '../upload/task.js'
import type { Made } from '../upload/uploader.js'
import { type LogSource, logText, moduleName } from './log-text.js'

/**
 * Streams, with bounded memory; it is on disk under its name when the promise resolves, and no file is left by a failure.
 *
 * @throws Refusal for an expression that cannot be used; the file system's error; the signal's reason
 */
export async function makeLogFile(
  { filter, encoding, contentType }: LogFileRequest,
  source: LogSource,
  { file, nowMs, signal }: Readonly<{ file: string; nowMs: number; signal: AbortSignal }>,
): Promise<Made> {
  const temporary = `${file}.tmp`
  const output = createWriteStream(temporary, { mode: 0o600, flush: true })
  const text = Readable.from(logText(filter, contentType, source))
  try {
    if (encoding === 'gzip') await pipeline(text, createGzip(), output, { signal })
    else await pipeline(text, output, { signal })
    await renameDurably(temporary, file)
  } catch (error) {
    await removeIfThere(temporary)
    throw error
  }
  const { hub, deviceId } = source.device
  const extension = `${contentType === 'json' ? 'json' : 'log'}${encoding === 'gzip' ? '.gz' : ''}`
  return {
    bytes: output.bytesWritten,
    fileName: `${moduleName}-${compact(nowMs)}.${extension}`,
    folder: `${hub ?? 'unknown'}/${deviceId}`,
    contentType: contentType === 'json' ? 'application/json' : 'text/plain',
    ...(encoding === 'gzip' ? { contentEncoding: 'gzip' } : {}),
  }
}

/** `2026-11-22--10-00-00`, UTC. */
const compact = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', '--').replaceAll(':', '-')
