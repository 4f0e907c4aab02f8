/** Files that are whole or not there, whenever the power goes. */
import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces the file at once: a reader sees the old text or the new one. When the promise resolves it is on disk.
 * A failure leaves the old file as it was, and no other.
 */
export async function writeFileDurably(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    const file = await open(temporary, 'w', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await renameDurably(temporary, path)
  } catch (error) {
    await removeIfThere(temporary)
    throw error
  }
}

/** @param from a file whose bytes are on disk already, in the same directory as `to` */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  const directory = await open(dirname(to), 'r')
  try {
    await directory.sync()
  } catch (error) {
    // Some file systems cannot sync a directory, and say so in one of these words.
    if (!notSupported.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await directory.close()
  }
}

const notSupported: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS'])

export async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}
