/** A firewall blocks the protocol's port and leaves 443 open. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const portBlocked: Cause = {
  id: 'port-blocked',
  family: 'network',
  title: 'A firewall blocks port 8883 or 5671',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'Port 443 of the hub answers, 8883 (MQTT) or 5671 (AMQP) of the same hub is refused or never answers.',
    hub: 'Nothing: the packets end at the firewall.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Many company, school and mobile networks let only web traffic out. IoT Hub serves the same protocols over WebSocket on port 443.',
  nextSteps: {
    device: [
      'Run `nc -vz HUB 443` and `nc -vz HUB 8883`: the first must answer and the second not, else it is something else.',
      'Set `connection.protocol` to `mqtt-ws` or `amqp-ws`, which use 443.',
    ],
    portal: [
      'Ask the network owner to allow outbound 8883 or 5671 to the service tag AzureIoTHub, by name and not by address.',
    ],
  },
  docs: [pages.mqtt, pages.protocols, pages.addresses],
}
