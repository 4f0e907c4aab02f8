/** Whether the ring has room, on a disk that takes it. */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { standardStateDir } from '../../config/load.js'
import { disk as diskReading } from '../../evidence/samples/disk.js'
import { exists, isForbidden } from '../../exists.js'
import { type Answer, type Check, failed, ok, skipped, warning } from '../check.js'
import type { Facts } from '../facts.js'
import { readingContext } from '../reading-context.js'
import { isServiceHere } from '../service.js'
import { type Refusal, tryWriting } from '../write-trial.js'

const mebibyte = 1 << 20

/** The least that `ring.budgetBytes` may be. */
const leastBytes = 262_144

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
    const room = (await diskReading.read(readingContext(facts, dir))) as Readonly<{
      freeBytes: number
      freeFiles: number
      totalFiles: number
    }> | null
    const info = { stateDir, budgetBytes: ring.budgetBytes, freeBytes: room?.freeBytes ?? null }
    const refused = await refusal(facts, stateDir)
    if (refused !== null) return { ...refused, info: { ...info, ...refused.info } }
    if (room === null) return skipped('the system does not say how much room there is')
    const { freeBytes, totalFiles, freeFiles } = room
    const free = `${Math.floor(freeBytes / mebibyte)} MiB are free at ${dir}`
    if (totalFiles > 0 && freeFiles < 100) return failed(`${free}, and room for ${freeFiles} files only`, info)
    const ringBytes = await bytesIn(join(stateDir, 'ring'))
    if (ringBytes + freeBytes < leastBytes) return failed(`${free}: no ring fits in there`, info, whenFull(dir))
    const missing = ring.budgetBytes - ringBytes - freeBytes
    return missing > 0
      ? warning(`${free}, ${Math.ceil(missing / mebibyte)} MiB less than the ring may still take`, info)
      : ok(free, info)
  },
}

/** The recorder, where it runs, knows what its disk says; else it is tried. */
async function refusal(facts: Facts, stateDir: string): Promise<Answer | null> {
  // One that does not answer is the affair of the check `daemon`.
  const status = await facts.daemon().catch(() => null)
  if (status !== null) {
    const { ring } = status
    if (!('mode' in ring) || ring.mode === 'disk') return null
    return failed(`the recorder cannot write ${ring.dir}: ${ring.refusal ?? 'unknown error'}`, {
      refused: ring.refusal,
    })
  }
  const refused = await tryWriting(stateDir)
  return refused === null ? null : tellRefusal(refused, stateDir)
}

async function tellRefusal({ path, code }: Refusal, stateDir: string): Promise<Answer> {
  const info = { refused: code, path }
  const where = path === stateDir ? path : `${path} (for ${stateDir})`
  switch (code) {
    case 'EACCES':
    case 'EPERM': {
      const own = process.geteuid?.() ?? null
      const owner = await stat(path).then(
        ({ uid }) => `it belongs to uid ${uid}, and `,
        () => '',
      )
      const found = `${where} may not be written: ${code}; ${owner}this is uid ${own}`
      // The unit's user is another one than whoever looks.
      if (stateDir === standardStateDir && (await isServiceHere()))
        return { ...skipped(`${found}; the service has a user of its own`), info }
      return failed(found, info, [
        'Run hubrec as the user to whom the directory belongs, `sudo -u USER hubrec doctor` to see it as that one does.',
        `Or give the directory to this one: \`chown -R ${own} ${stateDir}\`, or set \`stateDir\` to another.`,
      ])
    }
    case 'ENOTDIR':
      return failed(`${where} is no directory: ${code}`, info, [
        'Set `stateDir` to a directory, or move away what lies there.',
      ])
    case 'EROFS':
      return failed(`the file system of ${where} is read-only: ${code}`, info)
    case 'ENOSPC':
    case 'EDQUOT':
      return failed(`there is no room at ${where}: ${code}`, info, whenFull(path))
    default:
      return failed(`${where} cannot be written: ${code}`, info, [
        'Set `stateDir` to a directory that can be written, or mend that one: `dmesg` tells errors of the medium.',
      ])
  }
}

const whenFull = (path: string): string[] => [
  `Free some room: \`df -h ${path}\` and \`df -i ${path}\` show how much there is.`,
  'Or set `stateDir` to another file system.',
]

/** Before the first start it is not there, and it may be hidden from this user. */
async function nearest(dir: string): Promise<string> {
  if (dir === dirname(dir)) return dir
  const isSeen = await exists(dir).catch(error => {
    if (isForbidden(error)) return false
    throw error
  })
  return isSeen ? dir : nearest(dirname(dir))
}

/** What cannot be seen is not counted: then the ring may seem to need more than it does. */
async function bytesIn(dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => [])
  const sizes = await Promise.all(
    names.map(name =>
      stat(join(dir, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
