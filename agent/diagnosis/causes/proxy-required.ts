/** The network lets nothing out but through a proxy. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const proxyRequired: Cause = {
  id: 'proxy-required',
  family: 'network',
  title: 'The network demands an HTTP proxy',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Direct connections are dropped, closed or answered with something that is not TLS; through the proxy they work, or get 407.',
    hub: 'Nothing: the connection ends at the edge of the network.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Only a proxy may talk to the outside. MQTT and AMQP on their own ports cannot go through an HTTP proxy; over WebSocket they can. The SDK does not read HTTPS_PROXY by itself.',
  nextSteps: {
    device: [
      'Run `env | grep -i proxy`, and ask the network owner whether a proxy is required and whether it wants a password.',
      'Try `curl -v --proxy http://PROXY:PORT https://HUB/`: any answer of the hub means that the proxy lets it pass.',
    ],
    portal: [
      'Ask the network owner to let the host name of the hub pass without the proxy, or through it without a login.',
    ],
  },
  docs: [pages.protocols],
}
