/** Whose certificate is shown under the hub's name: a handshake as of a client without a credential, and then the end. */
import { isIP } from 'node:net'
import nodeTls from 'node:tls'
import { describeCertificate, judgedBy, type Trust } from '../../transports/trust.js'
import type { ServerCertificate } from '../../transports/wire-event.js'
import { findAddresses } from './addresses.js'
import { dial } from './dial.js'
import { ask, common, type Probe } from './probe.js'

export const tls: Probe = {
  name: 'tls',
  async run(context, tell) {
    const { host, port: own, httpsPort, heard, proxy, trust } = context
    if (proxy !== null) return
    const { now, lastGood } = await findAddresses(context)
    // Behind a port that does not answer there is no TLS to be had.
    const untold = [...new Set([own, httpsPort])].filter(
      port => !heard.tls.includes(port) && (heard.open.includes(port) || !heard.tcp.includes(port)),
    )
    const shakes = [
      ...now.slice(0, 1).flatMap(address => untold.map(port => ({ address, port, isLastGood: false }))),
      ...lastGood.map(address => ({ address, port: own, isLastGood: true })),
    ]
    await Promise.all(
      shakes.map(async ({ address, port, isLastGood }) => {
        let shown: Shown = { version: null, certificate: null }
        const asked = await ask(context, async signal => {
          const socket = await dial(address, port, signal)
          try {
            await shake(socket, { host, trust }, signal, seen => {
              shown = seen
            })
          } finally {
            socket.destroy()
          }
        })
        if (asked !== null) tell({ probe: 'tls', ...common(asked), host, address, port, isLastGood, ...shown })
      }),
    )
  },
}

type Shown = Readonly<{ version: string | null; certificate: ServerCertificate | null }>

/** @param see what was shown, also where it is not believed */
function shake(
  socket: NonNullable<nodeTls.ConnectionOptions['socket']>,
  { host, trust }: Readonly<{ host: string; trust: Trust }>,
  signal: AbortSignal,
  see: (shown: Shown) => void,
): Promise<void> {
  const servername = isIP(host) === 0 ? host : ''
  const secured = nodeTls.connect({ socket, servername, host, secureContext: trust.context })
  return new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    let peer: nodeTls.DetailedPeerCertificate | null = null
    const shown = (isTrusted: boolean): void =>
      see({
        version: secured.getProtocol(),
        certificate: peer && describeCertificate(peer, isTrusted ? null : judgedBy(trust, host)),
      })
    // 'secure' comes before Node verifies the chain and destroys what fails: the last moment to see what was shown.
    secured.prependOnceListener('secure', () => {
      const certificate = secured.getPeerCertificate(true)
      if (certificate?.raw) peer = certificate
    })
    secured.on('error', error => {
      if (peer) shown(false)
      reject(error)
    })
    secured.once('close', () => reject(new Error('the connection was closed before the handshake had ended')))
    secured.once('secureConnect', () => {
      shown(true)
      resolve()
    })
  }).finally(() => secured.destroy())
}
