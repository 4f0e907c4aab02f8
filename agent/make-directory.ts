/** Directories, with those above them. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Does nothing where it exists already. Not Node's own `recursive`: below /proc, where the kernel says of what cannot be made that it is
 * missing, that one never ends.
 *
 * @throws the error of the system
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const code = await makeOne(path, mode)
  if (code !== 'ENOENT') return
  const above = dirname(path)
  if (above !== path) await makeDirectory(above, mode)
  if ((await makeOne(path, mode)) !== null) throw failure('ENOENT', 'no such file or directory', path)
}

/** @returns `ENOENT` where one above it is missing */
async function makeOne(path: string, mode: number): Promise<'ENOENT' | null> {
  try {
    await mkdir(path, { mode })
    return null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return code
    if (code !== 'EEXIST') throw error
    if (await isDirectory(path)) return null
    throw failure('ENOTDIR', 'not a directory', path)
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isDirectory(),
    () => false,
  )

const failure = (code: string, words: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${words}, mkdir '${path}'`), { code, syscall: 'mkdir', path })
