/** The few things the ring asks of a file system, in one place, so that tests can make a disk that fails when they say so. */
import { lstat, open, readdir, rename, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../make-directory.js'

/** Every call may reject with an errno `code`, as Node's own do. */
export interface Disk {
  /** Does nothing where it exists already. Mode 0700: records may say more about a host than its users may know. */
  makeDirectory(path: string): Promise<void>
  /** The regular files, by name. A file that goes while they are listed is left out. */
  list(path: string): Promise<readonly ListedFile[]>
  /** Their names alone, which costs one call and not one for each. */
  names(path: string): Promise<readonly string[]>
  /** What this process may still take of the file system, and how large that is. */
  space(path: string): Promise<Space>
  /** `create` also takes a file that exists, and empties it. */
  open(path: string, how: 'read' | 'modify' | 'create'): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes what was created, renamed and removed in a directory survive a power cut. */
  syncDirectory(path: string): Promise<void>
}

export type ListedFile = Readonly<{ name: string; bytes: number }>

export type Space = Readonly<{ freeBytes: number; totalBytes: number }>

export interface DiskFile {
  /** @returns how many bytes were read; 0 at the end of the file */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** @returns how many bytes were written, which may be fewer than were asked for */
  write(from: Uint8Array, offset: number, length: number, position: number): Promise<number>
  truncate(bytes: number): Promise<void>
  /** fdatasync: the bytes and the length are on the device, the times need not be. */
  datasync(): Promise<void>
  /** `links` is 0 once the file was deleted, though it can still be written. */
  stat(): Promise<Readonly<{ bytes: number; links: number }>>
  close(): Promise<void>
}

export const realDisk: Disk = {
  async makeDirectory(path) {
    await makeDirectory(path, 0o700)
  },

  async list(path) {
    const entries = await readdir(path, { withFileTypes: true })
    const names = entries.filter(entry => entry.isFile()).map(entry => entry.name)
    const files = await Promise.all(
      names.sort().map(async name => {
        try {
          return { name, bytes: (await lstat(join(path, name))).size }
        } catch (error) {
          if (codeOf(error) === 'ENOENT') return null
          throw error
        }
      }),
    )
    return files.filter(file => file !== null)
  },

  async names(path) {
    const entries = await readdir(path, { withFileTypes: true })
    return entries
      .filter(entry => entry.isFile())
      .map(entry => entry.name)
      .sort()
  },

  async space(path) {
    const { bavail, blocks, bsize } = await statfs(path)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  },

  async open(path, how) {
    const handle = await open(path, how === 'read' ? 'r' : how === 'modify' ? 'r+' : 'w+', 0o600)
    return {
      read: async (into, offset, length, position) => (await handle.read(into, offset, length, position)).bytesRead,
      write: async (from, offset, length, position) =>
        (await handle.write(from, offset, length, position)).bytesWritten,
      truncate: bytes => handle.truncate(bytes),
      datasync: () => handle.datasync(),
      async stat() {
        const { size, nlink } = await handle.stat()
        return { bytes: size, links: nlink }
      },
      close: () => handle.close(),
    }
  },

  rename,
  remove: unlink,

  async syncDirectory(path) {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } catch (error) {
      // Some file systems have no such thing for directories, and say so in one of these words.
      if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(codeOf(error))) throw error
    } finally {
      await handle.close()
    }
  },
}

/** The errno name of a failure, or an empty string. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/** @returns what there is of the part: less at the end of the file */
export async function readPart(file: DiskFile, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const read = await file.read(bytes, filled, length - filled, position + filled)
    if (read === 0) break
    filled += read
  }
  return bytes.subarray(0, filled)
}

export async function writeWhole(file: DiskFile, bytes: Uint8Array, length: number, position: number): Promise<void> {
  const { failure } = await writeAsMuch(file, bytes, length, position)
  if (failure !== null) throw failure
}

/** A disk that takes only a part says why at the next try. */
export async function writeAsMuch(
  file: DiskFile,
  bytes: Uint8Array,
  length: number,
  position: number,
): Promise<{ written: number; failure: unknown }> {
  let written = 0
  while (written < length) {
    try {
      const more = await file.write(bytes, written, length - written, position + written)
      if (more === 0) throw ioError('nothing was written')
      written += more
    } catch (failure) {
      return { written, failure }
    }
  }
  return { written, failure: null }
}

/** As a disk would say it, where it is the ring that notices. */
export const ioError = (message: string): Error => Object.assign(new Error(message), { code: 'EIO' })

/** For what fails after a failure that is on its way to be dealt with: it has no more to say. */
export const toldAlready = (): void => undefined
