/** Whether the ring has room, on a disk that takes it. */
import { access, constants } from 'node:fs/promises'
import { dirname } from 'node:path'
import { disk as diskReading } from '../../evidence/samples/disk.js'
import { exists, isForbidden } from '../../exists.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

const mebibyte = 1 << 20

export const disk: Check = {
  id: 'disk',
  family: 'host',
  question: 'Is there room for the ring, and may it be written?',
  why: 'A full or read-only disk leaves the records in memory, and a power cut takes them.',
  remedies: [
    'Free some room, or lower `ring.budgetBytes`.',
    'Where the file system is read-only, look at `dmesg` for errors of the medium; SD cards end so.',
  ],
  needs: ['configuration'],
  async ask(facts) {
    const { config } = await facts.config()
    const { stateDir, ring } = config
    const dir = await nearest(stateDir)
    const refused = await access(dir, constants.W_OK).then(
      () => null,
      (error: NodeJS.ErrnoException) => error.code ?? 'unknown',
    )
    const found = (await diskReading.read(readingContext(facts, dir))) as Readonly<{
      freeBytes: number
      freeFiles: number
      totalFiles: number
    }> | null
    const info = { stateDir, budgetBytes: ring.budgetBytes, freeBytes: found?.freeBytes ?? null, refused }
    if (refused === 'EROFS') return failed(`the file system of ${dir} is read-only`, info)
    // Another user runs the daemon, and it may be that only that one may write.
    if (refused !== null && refused !== 'EACCES') return failed(`${dir}: ${refused}`, info)
    if (found === null) return skipped('the system does not say')
    const free = `${Math.floor(found.freeBytes / mebibyte)} MiB are free at ${dir}`
    if (found.totalFiles > 0 && found.freeFiles < 100)
      return failed(`${free}, and room for ${found.freeFiles} files only`, info)
    return found.freeBytes < ring.budgetBytes ? warning(`${free}, less than the ring may take`, info) : ok(free, info)
  },
}

/** Before the first start it is not there, and it may be hidden from this user. */
async function nearest(dir: string): Promise<string> {
  if (dir === dirname(dir)) return dir
  const isSeen = await exists(dir).catch(error => {
    if (isForbidden(error)) return false
    throw error
  })
  return isSeen ? dir : nearest(dirname(dir))
}
