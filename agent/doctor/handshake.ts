/** TLS to a server as any client makes it, without a credential. */
import nodeTls, { type TLSSocket } from 'node:tls'
import { dial } from '../probes/dial.js'
import { type Answer, ok, skipped } from './check.js'
import type { Facts } from './facts.js'

/** @returns the caller's to destroy. @throws where no connection comes about, or none that is trusted */
export async function secured(
  { secret, lookup }: Facts,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Readonly<{ socket: TLSSocket; address: string }>> {
  const { trust } = await secret()
  const [address] = await lookup(host, signal)
  if (address === undefined) throw new Error(`${host} leads to no address`)
  const socket = nodeTls.connect({
    socket: await dial(address, port, signal),
    servername: host,
    secureContext: trust.context,
  })
  const abort = (): void => void socket.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.on('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed before the handshake had ended')))
    })
    return { socket, address }
  } catch (error) {
    socket.destroy()
    throw new Error(`${host}:${port} at ${address}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Whether a service shows a certificate that is trusted here. */
export async function handshake(facts: Facts, host: string, port: number, signal: AbortSignal): Promise<Answer> {
  const { findProxy } = await facts.secret()
  const proxy = findProxy(host, port)
  if (proxy !== null) return skipped(`it is reached through the proxy ${proxy.host}:${proxy.port}`)
  const { socket, address } = await secured(facts, host, port, signal)
  socket.destroy()
  return ok(`${host}:${port} at ${address} shows a certificate that is trusted`)
}
