/** Where the verbose file may lie: in memory, because what is written every second would wear a flash out. */
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, rmdir, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** Files are called `<name>.verbose...`. `own`: the directory is there for nothing else. */
export type Place = Readonly<{ dir: string; name: string; own: boolean }>

/** What the kernel calls tmpfs and ramfs. */
const inMemory: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

const sharedMemory = '/dev/shm'

/**
 * The runtime directory where that is in memory, as under systemd; else a directory of our own in shared memory, as in a
 * container.
 *
 * @returns `null` where there is neither: then nothing verbose is kept
 */
export async function findPlace(
  { controlSocket, stateDir }: Readonly<{ controlSocket: string; stateDir: string }>,
  memoryDir = sharedMemory,
): Promise<Place | null> {
  // Named after the socket, which one process holds: two daemons may share a runtime directory.
  const name = basename(controlSocket).replace(/\.sock$/, '')
  const runtimeDir = dirname(controlSocket)
  if (await isInMemory(runtimeDir)) return { dir: runtimeDir, name, own: false }
  const dir = await ownDirectory(stateDir, memoryDir)
  return dir !== null && (await isInMemory(dir)) ? { dir, name, own: true } : null
}

/** Leaves nothing of ours where others are, once the files are gone. */
export async function leavePlace({ dir, own }: Place): Promise<void> {
  if (!own) return
  await rmdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error
  })
}

/** By the real path of the state directory, so that the next start finds it. */
export async function sharedMemoryDir(stateDir: string, memoryDir = sharedMemory): Promise<string> {
  const path = await realpath(stateDir).catch(() => resolve(stateDir))
  return join(memoryDir, `hubrec-${createHash('sha256').update(path).digest('hex').slice(0, 16)}`)
}

async function isInMemory(dir: string): Promise<boolean> {
  try {
    return inMemory.has((await statfs(dir)).type >>> 0)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return false
    throw error
  }
}

/** Everybody may write to shared memory, so what has our name there need not be ours. */
async function ownDirectory(stateDir: string, memoryDir: string): Promise<string | null> {
  const dir = await sharedMemoryDir(stateDir, memoryDir)
  try {
    await mkdir(dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const found = await lstat(dir)
    if (!found.isDirectory() || found.uid !== process.geteuid?.()) return null
    await chmod(dir, 0o700)
    return dir
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return null
    throw error
  }
}
