/** The real disk, with an account of what was read from it: what nobody wants must not be read. */
import { basename } from 'node:path'
import { type Disk, realDisk } from '../../agent/ring/disk.js'

export type Reading = Readonly<{ name: string; position: number; bytes: number }>

/** `readings` grows as the disk is read: one for each that gave something back. */
export function watchedDisk(): { disk: Disk; readings: Reading[] } {
  const readings: Reading[] = []
  const disk: Disk = {
    ...realDisk,
    async open(path, how) {
      const file = await realDisk.open(path, how)
      return {
        ...file,
        async read(into, offset, length, position) {
          const bytes = await file.read(into, offset, length, position)
          if (bytes > 0) readings.push({ name: basename(path), position, bytes })
          return bytes
        },
      }
    },
  }
  return { disk, readings }
}
