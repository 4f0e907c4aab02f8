/** The service moved or renewed itself. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'

const conditions = new Set(['amqp:connection:forced'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  if (said === null) return null
  return {
    confidence: 'possible',
    evidence: [toldOf(said)],
    runnersUp: [
      maybe(
        'duplicate-device-id',
        'Look for 409002 in the Connections log. An upgrade ends after a few minutes, a second client does not.',
      ),
      maybe('hub-transient-5xx', 'Look at Resource Health of the hub, and for codes that begin with 500 or 503.'),
    ],
  }
}

export const hubUpgradeOrFailover: Cause = {
  id: 'hub-upgrade-or-failover',
  family: 'service',
  title: 'The hub was upgraded or moved',
  hubCodes: ['400029', '400030', '404012', '503006', '404104'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'A bare close (AMQP: amqp:connection:forced), perhaps one refusal, and success within a minute or two. After a failover the hub has another address.',
    hub: 'It closes connections on purpose, because a node is renewed or the hub moves to another region.',
    log: '400029 or 400030; 404012 or 503006 during a failover.',
  },
  meaning:
    'Nothing is wrong with the device. Nodes of the service are renewed all the time, and each time their connections are closed.',
  tells: {
    raises: 'One close, success at the next attempt, and perhaps other addresses than before.',
    rulesOut: 'It comes again every few seconds or minutes.',
  },
  nextSteps: {
    device: [
      'Do nothing if it came back within a few minutes.',
      'If it did not, check that no firewall or /etc/hosts entry names the old address of the hub.',
    ],
    portal: [
      'In the portal, look for 400029 in the Connections log, and for the same close on other devices at that time.',
      'Let firewalls name the service tag AzureIoTHub, for the paired region too, and no addresses.',
    ],
  },
  docs: [pages.errorCodes, pages.failover, pages.addresses],

  fromAttempt: attempt => judge(wordOfAttempt(attempt)),
  fromEnding: ending => judge(wordOfEnding(ending)),
}
