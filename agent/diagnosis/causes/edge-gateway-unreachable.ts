/** The gateway that this device goes through cannot be reached. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, findCode, isReset, wentUnanswered } from '../wire-facts.js'
import { addressesOf, dialled, duration, errorText } from '../words.js'

const refused: ReadonlySet<string> = new Set(['ECONNREFUSED'])
/** In one's own network this means that no machine with that address answered. */
const absent: ReadonlySet<string> = new Set(['EHOSTUNREACH', 'EHOSTDOWN'])

const noNetwork = maybe(
  'no-network',
  'Ping another machine in the network of the gateway. If that fails too, it is this device.',
)

export const edgeGatewayUnreachable: Cause = {
  id: 'edge-gateway-unreachable',
  family: 'network',
  title: 'The gateway in front of the hub cannot be reached',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The connection string names a gateway (GatewayHostName), and the TCP connection to it fails.',
    hub: 'Nothing: the device never comes as far as the hub.',
    log: 'No entry for this device. If the gateway itself is down, its own device is missing too.',
  },
  meaning:
    'This device does not dial the hub but an IoT Edge or other gateway. The failure lies between the device and that gateway; the internet and the hub are not involved.',
  tells: {
    raises: 'The hub itself can be reached from the same host.',
    rulesOut: 'The gateway answers, and refuses the sign-in.',
  },
  nextSteps: {
    device: [
      'Check that the gateway is on and that `ping` from this device reaches it.',
      'On the gateway run `iotedge list`, and check that edgeHub is running; if not, run `iotedge logs edgeHub`.',
      'Run `nc -vz GATEWAY 8883` on this device. If it is refused, edgeHub does not listen or does not publish the port.',
      'Check GatewayHostName in the connection string of this device.',
    ],
    portal: ['In the portal, check whether the gateway itself is connected, and restart its edgeHub module if it is.'],
  },
  docs: [pages.connectivity],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || !attempt.gateway || close.stage !== 'tcp') return null
    const { closed, error } = close
    const where = `${dialled(attempt)} (${addressesOf(attempt, error)})`
    if (findCode(error, refused) !== undefined) {
      return {
        confidence: 'certain',
        evidence: [`The connection to ${where} was refused: ${errorText(error)}.`],
        runnersUp: [],
      }
    }
    if (isReset(close)) {
      return {
        confidence: 'certain',
        evidence: [`The connection to ${where} was reset before it stood: ${errorText(error)}.`],
        runnersUp: [],
      }
    }
    if (wentUnanswered(close)) {
      return {
        confidence: 'certain',
        evidence: [`Nothing answered at ${where} within ${duration(closed.silentMs)}.`],
        runnersUp: [noNetwork],
      }
    }
    if (findCode(error, absent) !== undefined) {
      return {
        confidence: 'likely',
        evidence: [`No machine answers at ${where}: ${errorText(error)}.`],
        runnersUp: [noNetwork],
      }
    }
    return null
  },
}
