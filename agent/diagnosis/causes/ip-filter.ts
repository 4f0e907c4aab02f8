/** The hub does not accept the address this device comes from. */
import { type Cause, knowable, maybe } from '../cause.js'
import { httpAnswerOf } from '../http-answers.js'
import { pages } from '../pages.js'

export const ipFilter: Cause = {
  id: 'ip-filter',
  family: 'network',
  title: 'The hub does not accept this network address',
  hubCodes: ['401002', '401003'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'DNS, TCP and TLS are fine, and the sign-in is refused or closed (WebSocket: HTTP status 403); the same credential works from another network.',
    hub: 'A client whose public address is rejected by an IP filter, or public access that is switched off.',
    log: '401002 or 401003; the message does not mention the filter.',
  },
  meaning:
    'The hub lets in certain public addresses only. The address of this site has changed, or the filter has, or only private endpoints may be used now.',
  tells: {
    raises: 'The same credential works from another network or address.',
    rulesOut: 'CONNACK 5 from every network.',
  },
  nextSteps: {
    device: [
      'Find out the public address of this site, from its router or any what-is-my-address page, and give it to the person who has the portal.',
      'Try from another network, such as a telephone: if that works, it is the address.',
    ],
    portal: [
      'In the portal, open Networking of the hub: compare the IP filter with that address, and check public network access.',
    ],
  },
  docs: [pages.ipFilters, pages.publicAccess, pages.monitoring],

  fromAttempt(attempt) {
    const answer = httpAnswerOf(attempt)
    if (answer === null || answer.step !== 'upgrade' || answer.status !== 403) return null
    return {
      confidence: 'possible',
      evidence: [answer.sentence],
      runnersUp: [
        maybe('public-access-disabled', 'In the portal, open Networking of the hub: is public access disabled?'),
        maybe(
          'proxy-required',
          'Try from another network. If it works there, a proxy or filter on this one forbids it.',
        ),
      ],
    }
  },
}
