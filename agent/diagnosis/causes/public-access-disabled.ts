/** The hub may be reached over private endpoints only. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const publicAccessDisabled: Cause = {
  id: 'public-access-disabled',
  family: 'network',
  title: 'The hub takes no connections from the public internet',
  hubCodes: ['401002', '401003'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'DNS, TCP and TLS are fine, because the front of the service is shared, and then the sign-in or the upgrade is refused.',
    hub: 'A client from a public address, while only private endpoints may be used.',
    log: '401002 or 401003.',
  },
  meaning:
    'Public network access of the hub is switched off. Its public name still resolves and its ports stay open, so only the sign-in shows it.',
  tells: {
    raises: "It began when the hub's network settings were changed; from the private network it works.",
    rulesOut: 'A device on the public internet is served by the same hub.',
  },
  nextSteps: {
    device: [
      'Run `getent hosts HUB`: a public address where a private endpoint is meant to be used points to the DNS of this site.',
      'Check the VPN or the route to the private endpoint.',
    ],
    portal: [
      'In the portal, open Networking of the hub: is public access disabled, and is there a private endpoint for this site?',
    ],
  },
  docs: [pages.publicAccess, pages.virtualNetworks],
}
