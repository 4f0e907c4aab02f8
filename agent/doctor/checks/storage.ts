/** Whether the storage answers that files go to. */
import { type Check, skipped } from '../check.js'
import { handshake } from '../handshake.js'

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
