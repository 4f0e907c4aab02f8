/** The services beside the hub: the one that assigns it, and the storage that files go to. */
import nodeTls from 'node:tls'
import { readAddress } from '../../../transports/connection-string.js'
import { dial } from '../../probes/dial.js'
import { type Check, failed, ok, skipped } from '../check.js'
import type { Facts } from '../facts.js'

export const dps: Check = {
  id: 'dps',
  family: 'hub',
  question: 'Does the provisioning service answer?',
  why: 'A device that is provisioned learns from it where its hub is, and again when it was moved.',
  remedies: [
    'Check `connection.dps.endpoint` for the cloud of this device (docs/credentials.md), and that 8883 or 443 is open toward it.',
    'In the portal, open the provisioning service: the enrollment must exist and be enabled.',
  ],
  needs: ['credential'],
  async ask(facts, signal) {
    const { dps: settings, ports } = (await facts.config()).config.connection
    if (settings === null) return skipped('none is configured')
    const { host, port } = readAddress('endpoint', settings.endpoint, true, []) ?? {
      host: settings.endpoint,
      port: null,
    }
    return handshake(facts, host, port ?? ports.mqtt, signal)
  },
}

export const storage: Check = {
  id: 'storage',
  family: 'hub',
  question: 'Does the storage answer to which bundles may go?',
  why: 'A firewall that lets the hub through often does not know of its storage account.',
  remedies: ['Have HTTPS opened toward this host, or set a proxy.', 'Check `upload.allowedContainers`.'],
  needs: ['credential'],
  async ask(facts, signal) {
    const [first] = (await facts.config()).config.upload.allowedContainers
    if (first === undefined)
      return skipped('the hub names it when a file is sent; none is configured (`upload.allowedContainers`)')
    const { hostname, port } = new URL(first)
    return handshake(facts, hostname, port === '' ? 443 : Number(port), signal)
  },
}

/** TCP, and TLS as of a client without a credential. */
async function handshake(facts: Facts, host: string, port: number, signal: AbortSignal) {
  const { trust, findProxy } = await facts.secret()
  const proxy = findProxy(host, port)
  if (proxy !== null) return skipped(`it is reached through the proxy ${proxy.host}:${proxy.port}`)
  const [address] = await facts.lookup(host, signal)
  if (address === undefined) return failed(`${host} leads to no address`)
  const socket = await dial(address, port, signal)
  const found = `${host}:${port} at ${address}`
  try {
    await new Promise<void>((resolve, reject) => {
      const secured = nodeTls.connect({ socket, servername: host, secureContext: trust.context })
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
      secured.once('close', () => reject(new Error('the connection was closed before the handshake had ended')))
      signal.addEventListener('abort', () => secured.destroy(), { once: true })
    })
    return ok(`${found} shows a certificate that is trusted`)
  } catch (error) {
    return failed(`${found}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    socket.destroy()
  }
}
