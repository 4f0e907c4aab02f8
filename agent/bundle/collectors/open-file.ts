/** Opens a file that a pattern has found, and nothing that was put in its place meanwhile. */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { isWithin } from '../../config/collector-rules.js'
import { Skipped } from '../part.js'

export type Bounds = Readonly<{
  /** Whatever is read lies below one of them, also where a directory on the way is a link. */
  roots: readonly string[]
  /** Nothing below them is read: what is ours, with keys in it. */
  refused: readonly string[]
}>

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * The path is looked at, opened without following a link, and then it is the open file that is asked what it is and where it
 * lies: whoever swaps a directory in between changes the path, and not the file.
 *
 * @throws Skipped with why it is not read; the file system's error
 */
export async function openFile(path: string, bounds: Bounds): Promise<{ handle: FileHandle; bytes: number }> {
  const seen = await lstat(path)
  refuseAnythingElse(seen)
  const handle = await open(path, readFlags).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' ? new Skipped('it is a symbolic link') : error
  })
  try {
    const found = await handle.stat()
    refuseAnythingElse(found)
    if (found.dev !== seen.dev || found.ino !== seen.ino) throw new Skipped('it was another file a moment ago')
    // Another name may lie where only others may read.
    if (found.nlink > 1) throw new Skipped(`it has ${found.nlink} names`)
    const place = await readlink(`/proc/self/fd/${handle.fd}`)
    const isAllowed = (await realOf(bounds.roots)).some(root => isWithin(place, root))
    if (!isAllowed) throw new Skipped('it lies outside of fileRoots')
    const isOurs = (await realOf(bounds.refused)).some(refused => isWithin(place, refused))
    if (isOurs) throw new Skipped("it is in hubrec's own state directory")
    return { handle, bytes: found.size }
  } catch (error) {
    await handle.close()
    throw error
  }
}

type Kind = Readonly<Record<'isFile' | 'isSymbolicLink' | 'isDirectory' | 'isFIFO' | 'isSocket', () => boolean>>

function refuseAnythingElse(found: Kind): void {
  if (found.isFile()) return
  const kind = found.isSymbolicLink()
    ? 'a symbolic link'
    : found.isDirectory()
      ? 'a directory'
      : found.isFIFO()
        ? 'a pipe'
        : found.isSocket()
          ? 'a socket'
          : 'a device'
  throw new Skipped(`it is ${kind}`)
}

/** One that cannot be resolved counts as it is written: what is refused must not be forgotten for it. */
const realOf = (paths: readonly string[]): Promise<string[]> =>
  Promise.all(paths.map(path => realpath(path).catch(() => path)))
