/** The network lets nothing out but through a proxy. */
import type { FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { type HttpAnswer, httpAnswerOf, isRedirect, wasForwarded } from '../http-answers.js'
import { pages } from '../pages.js'
import { closeOfAttempt, findCode, isAboutProxy, isFin, isReset, wentUnanswered } from '../wire-facts.js'
import { duration, errorText } from '../words.js'

const unreachableCodes: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN'])

const noRoad: ReadonlySet<string> = new Set(['ENETUNREACH', 'ENETDOWN'])

const ofProxy: readonly string[] = [
  'Compare the address and the login of the proxy in the configuration and in HTTPS_PROXY with what the network owner says.',
]

const beyond: readonly RunnerUp[] = [
  maybe('hub-unreachable', 'Ask the owner of the proxy, or look in its log: could it reach the hub at this time?'),
  maybe('wrong-hub-hostname', 'Resolve the name of the hub from where the proxy stands: does it exist there?'),
]
const portal = maybe('captive-portal', 'Open any page without TLS in a browser on this network: does a login come?')
const filtered = maybe(
  'ip-filter',
  'Try the same credential from another network. If it is refused there in the same way, it is the hub.',
)

/** What these schemes ask for is a login of people or machines in a company; a hub asks for none of them. */
const companyLogin = /^\s*(?:basic|digest|ntlm|negotiate|kerberos)\b/i

function judgeConnect({ status, sentence }: HttpAnswer): Finding | null {
  if (status === 407 || status === 401 || status === 403) {
    return { confidence: 'certain', evidence: [sentence], runnersUp: [], firstSteps: ofProxy }
  }
  if (status === 511) return null
  // It is there and speaks, and what it says may be about itself or about the road behind it.
  return { confidence: 'possible', evidence: [sentence], runnersUp: beyond, firstSteps: ofProxy }
}

function judgeUpgrade(answer: HttpAnswer): Finding | null {
  const { status, headers, sentence } = answer
  if (status === 407 || (status === 401 && headers['proxy-authenticate'] !== undefined)) {
    return { confidence: 'certain', evidence: [sentence], runnersUp: [], firstSteps: ofProxy }
  }
  if (status === 401) {
    const company = companyLogin.test(headers['www-authenticate'] ?? '')
    return { confidence: company ? 'likely' : 'possible', evidence: [sentence], runnersUp: [portal, filtered] }
  }
  return status === 403 && wasForwarded(answer)
    ? { confidence: 'likely', evidence: [sentence], runnersUp: [filtered] }
    : null
}

/** The proxy itself was dialled, and did not answer. */
function judgeRoad(attempt: FailedAttempt): Finding | null {
  const close = closeOfAttempt(attempt)
  if (close === null || close.stage !== 'tcp' || !isAboutProxy(attempt)) return null
  const { closed, error } = close
  const found = (confidence: Finding['confidence'], sentence: string): Finding => ({
    confidence,
    evidence: [sentence],
    runnersUp: [
      maybe('no-network', 'Reach another machine in the network of the proxy. If that fails too, it is this device.'),
    ],
    firstSteps: ofProxy,
  })
  if (findCode(error, unreachableCodes) !== undefined || isReset(close)) {
    return found('certain', `The proxy could not be reached: ${errorText(error)}.`)
  }
  if (wentUnanswered(close)) {
    return found('certain', `The proxy did not answer within ${duration(closed.silentMs)}: ${errorText(error)}.`)
  }
  // Without a road of its own the device reaches nothing at all: see `no-network`.
  if (findCode(error, noRoad) !== undefined) return null
  if (isFin(close)) return found('certain', 'The proxy closed the connection (FIN) before it had answered CONNECT.')
  return found('likely', `There was no way through the proxy: ${errorText(error)}.`)
}

const refusals: ReadonlySet<string> = new Set(['PROXY_401', 'PROXY_403', 'PROXY_407'])

/** The provisioning service is asked through it before any hub is dialled. */
function judgeQuestion(attempt: FailedAttempt): Finding | null {
  const { outcome, error } = attempt
  if (outcome !== 'provisioning' || !isAboutProxy(attempt)) return null
  const isPlain = findCode(error, refusals) !== undefined || findCode(error, unreachableCodes) !== undefined
  return {
    confidence: isPlain ? 'certain' : 'likely',
    evidence: [`The provisioning service could not be asked: ${errorText(error)}.`],
    runnersUp: [],
    firstSteps: ofProxy,
  }
}

export const proxyRequired: Cause = {
  id: 'proxy-required',
  family: 'network',
  title: 'An HTTP proxy is demanded, or does not let the connection through',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Direct connections are dropped, closed or answered with something that is not TLS; through the proxy they work, or it answers 407 (login) or 403, or is not there.',
    hub: 'Nothing: the connection ends at the edge of the network.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Only a proxy may talk to the outside. MQTT and AMQP on their own ports cannot go through an HTTP proxy; over WebSocket they can. The SDK does not read HTTPS_PROXY by itself.',
  tells: {
    raises: "The proxy answered with a status, or the direct road is shut while the proxy's works.",
    rulesOut: 'The direct road works.',
  },
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

  fromAttempt(attempt) {
    const answer = httpAnswerOf(attempt)
    if (answer === null) return judgeQuestion(attempt) ?? judgeRoad(attempt)
    if (isRedirect(answer)) return null
    return answer.step === 'proxy' ? judgeConnect(answer) : judgeUpgrade(answer)
  },
}
