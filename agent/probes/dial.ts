/** One TCP connection, for as long as it takes to see that there is one. */
import net from 'node:net'

/** @returns the caller's to destroy. Rejects with the system's error, or with the signal's reason */
export function dial(address: string, port: number, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const socket = net.connect({ host: address, port })
    const abort = (): void => fail(signal.reason)
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      reject(error)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('error', fail)
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      socket.off('error', fail)
      // What befalls it from now on is told to whoever goes on with it.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Whether a port answers: nothing is sent, and the connection is ended at once. */
export async function knock(address: string, port: number, signal: AbortSignal): Promise<void> {
  const socket = await dial(address, port, signal)
  socket.destroy()
}
