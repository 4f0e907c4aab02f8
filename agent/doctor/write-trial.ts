/** Whether the ring may be written here: it is tried, in the way that the recorder would, and nothing of it stays. */
import { randomBytes } from 'node:crypto'
import { constants, mkdtemp, open, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** `code`: an errno name. */
export type Refusal = Readonly<{ path: string; code: string }>

/** More than a file system keeps inside of its own tables. */
const trialBytes = 65_536

/** @returns what refuses it first, or `null` */
export async function tryWriting(stateDir: string): Promise<Refusal | null> {
  const place = await nearest(stateDir)
  if ('code' in place) return place
  if (place.dir !== stateDir) return tryIn(place.dir, makeInside)
  const ringDir = join(stateDir, 'ring')
  return (await tryIn(stateDir, writeInside)) ?? (await tryFiles(ringDir))
}

/** Before the first start it is not there: then it is made in what is. */
async function nearest(dir: string): Promise<Readonly<{ dir: string }> | Refusal> {
  try {
    return (await stat(dir)).isDirectory() ? { dir } : { path: dir, code: 'ENOTDIR' }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    if ((code === 'ENOENT' || code === 'ENOTDIR') && dir !== dirname(dir)) return nearest(dirname(dir))
    return { path: dir, code }
  }
}

async function tryIn(dir: string, act: (dir: string) => Promise<void>): Promise<Refusal | null> {
  try {
    await act(dir)
    return null
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    return { path: dir, code }
  }
}

async function makeInside(dir: string): Promise<void> {
  await rmdir(await mkdtemp(join(dir, '.hubrec-doctor-')))
}

async function writeInside(dir: string): Promise<void> {
  const path = join(dir, `.doctor-${randomBytes(6).toString('hex')}.tmp`)
  const file = await open(path, 'wx', 0o600)
  try {
    for (let at = 0; at < trialBytes; ) at += (await file.write(randomBytes(trialBytes - at))).bytesWritten
    await file.datasync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

/** What another user once began, only that one can go on with. */
async function tryFiles(dir: string): Promise<Refusal | null> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => error)
  if (names instanceof Error) return names.code === 'ENOENT' ? null : { path: dir, code: names.code ?? 'unknown' }
  const refused = await tryIn(dir, makeInside)
  if (refused !== null) return refused
  for (const path of names.filter(name => name.endsWith('.log')).map(name => join(dir, name))) {
    const code = await open(path, constants.O_WRONLY).then(
      async file => file.close().then(() => null),
      (error: NodeJS.ErrnoException) => error.code ?? 'unknown',
    )
    // One that went while we looked refuses nothing.
    if (code !== null && code !== 'ENOENT') return { path, code }
  }
  return null
}
