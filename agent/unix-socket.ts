/** Sockets in the file system, by which the processes of one host find each other. */
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { AgentError } from './errors.js'
import { isMissing } from './exists.js'

/** The kernel has room for 108, the NUL at the end among them; what is longer, Node cuts off without a word. */
export const socketPathBytesMax = 107

export const isSocketPath = (path: string): boolean => Buffer.byteLength(path) <= socketPathBytesMax

/**
 * Takes the path for a server, also over the remains of a process that died; mode 0660. What else lies there is left as it is.
 *
 * @throws AgentError `ALREADY_RUNNING`, with `who`, when a process listens there
 * @throws the error of the system when the socket cannot be made (no such directory, no permission, path too long); `ENOTSOCK`
 *   where something lies that is none
 */
export async function listenAt(server: Server, path: string, who: string): Promise<void> {
  if (await someoneListens(path)) throw new AgentError('ALREADY_RUNNING', `${who} at ${path}`)
  await removeRemains(path)
  await listen(server, path)
  await chmod(path, 0o660)
}

/** In the file system, or abstract with a NUL in front. What fails later, as with too many open files, is the server's own to hear. */
export const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** The remains of a process that died do not answer. */
export const someoneListens = (path: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

async function removeRemains(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) {
      throw Object.assign(new Error(`${path} is there, and is no socket`), { code: 'ENOTSOCK' })
    }
    await unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
