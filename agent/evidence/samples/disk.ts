/** Room on the disk that holds our state. */
import { statfs } from 'node:fs/promises'
import type { Reading } from './reading.js'

export const disk: Reading = {
  name: 'disk',
  async read({ stateDir }) {
    try {
      const { bsize, blocks, bavail, files, ffree } = await statfs(stateDir)
      return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, totalFiles: files, freeFiles: ffree }
    } catch (error) {
      if (error instanceof Error && 'syscall' in error) return null
      throw error
    }
  },
}
