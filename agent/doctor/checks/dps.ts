/** Whether the service answers that assigns the hub. */
import { readAddress } from '../../../transports/connection-string.js'
import { type Check, skipped } from '../check.js'
import { handshake } from '../handshake.js'

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
