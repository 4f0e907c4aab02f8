/** Reads the small files of /proc and /sys, where anything may be missing. */
import { close, constants, open, read } from 'node:fs'
import { readdir } from 'node:fs/promises'

/** The files we read are a page or two; a routing table may be longer, and its default route comes early. */
const textBytesMax = 1 << 18

/** Most are a page. A larger buffer for each, several times a second, costs more than the reading. */
const firstBytes = 1 << 14

/** The kernel fills a page with whole lines before it hands it out: less than this is all that there is. */
const partBytesMin = 1 << 11

/**
 * At most the first 256 KiB; `null` when the file is missing or does not want to be read, as `carrier` of an interface
 * that is down, or pressure on a kernel that was started without it.
 *
 * By callbacks: a file handle of Node's promises costs a third more, some thirty times in each sample.
 */
export function readText(path: string): Promise<string | null> {
  return new Promise(resolve => {
    // O_NONBLOCK, so that a pipe in place of a file cannot hold one of Node's few file threads for ever.
    open(path, constants.O_RDONLY | constants.O_NONBLOCK, (error, file) => {
      if (error) return resolve(null)
      let buffer = Buffer.allocUnsafe(firstBytes)
      let length = 0
      const done = (text: string | null): void => close(file, () => resolve(text))
      const readOn = (): void =>
        read(file, buffer, length, buffer.length - length, null, (error, bytesRead) => {
          if (error) return done(null)
          length += bytesRead
          if (bytesRead < partBytesMin || length === textBytesMax) return done(buffer.toString('utf8', 0, length))
          if (length === buffer.length) buffer = Buffer.concat([buffer], 2 * length)
          readOn()
        })
      readOn()
    })
  })
}

/** The names in a directory in order, at most 256; none where there is no such directory. */
export async function readNames(path: string): Promise<string[]> {
  const names = (await orNull(() => readdir(path))) ?? []
  return names.sort(new Intl.Collator('en', { numeric: true }).compare).slice(0, 256)
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    // What the system refused is absent; anything else is a mistake of ours.
    if (error instanceof Error && 'syscall' in error) return null
    throw error
  }
}

/** A whole number as the kernel writes it; `null` for anything else. A counter above 2^53 loses its last digits. */
export function toInteger(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? ''
  return /^-?\d{1,20}$/.test(trimmed) ? Number(trimmed) : null
}

/** A number with a fraction, as in /proc/loadavg; `null` for anything else. */
export function toDecimal(text: string | null | undefined): number | null {
  const trimmed = text?.trim() ?? ''
  return /^-?\d{1,15}(\.\d{1,15})?$/.test(trimmed) ? Number(trimmed) : null
}

/** The fields of a line, as columns of the kernel's tables are separated. */
export const fieldsOf = (line: string): string[] => line.trim().split(/\s+/)
