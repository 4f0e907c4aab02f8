/** A disk that is a few files in memory, so that a damage costs no more than the reading of it. It knows no power cut. */
import { basename } from 'node:path'
import type { Disk, DiskFile } from '../../agent/ring/disk.js'

type Inode = { bytes: Buffer; links: number }

export class BytesDisk implements Disk {
  readonly #inodes: Map<string, Inode>

  /** By name: there is one directory. The bytes given are never changed. */
  constructor(files: Iterable<readonly [string, Buffer]> = []) {
    this.#inodes = new Map([...files].map(([name, bytes]) => [name, { bytes, links: 1 }]))
  }

  get files(): ReadonlyMap<string, Buffer> {
    return new Map([...this.#inodes].map(([name, { bytes }]) => [name, bytes]))
  }

  async makeDirectory(): Promise<void> {}

  async list() {
    return (await this.names()).map(name => ({ name, bytes: this.#find(name).bytes.length }))
  }

  async names() {
    return [...this.#inodes.keys()].sort()
  }

  async space() {
    return { freeBytes: 1 << 30, totalBytes: 1 << 30 }
  }

  async open(path: string, how: 'read' | 'modify' | 'create'): Promise<DiskFile> {
    const name = basename(path)
    if (how === 'create') this.#inodes.set(name, { bytes: Buffer.alloc(0), links: 1 })
    const inode = this.#find(name)
    return {
      read: async (into, offset, length, position) => inode.bytes.copy(into, offset, position, position + length),
      write: async (from, offset, length, position) => {
        const bytes = Buffer.alloc(Math.max(inode.bytes.length, position + length))
        inode.bytes.copy(bytes)
        bytes.set(from.subarray(offset, offset + length), position)
        inode.bytes = bytes
        return length
      },
      truncate: async bytes => {
        inode.bytes = Buffer.from(inode.bytes.subarray(0, bytes))
      },
      datasync: async () => {},
      stat: async () => ({ bytes: inode.bytes.length, links: inode.links }),
      close: async () => {},
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#find(basename(from))
    this.#inodes.delete(basename(from))
    this.#inodes.set(basename(to), inode)
  }

  async remove(path: string): Promise<void> {
    this.#find(basename(path)).links = 0
    this.#inodes.delete(basename(path))
  }

  async syncDirectory(): Promise<void> {}

  #find(name: string): Inode {
    const inode = this.#inodes.get(name)
    if (!inode) throw Object.assign(new Error(`ENOENT: there is no ${name}`), { code: 'ENOENT' })
    return inode
  }
}
