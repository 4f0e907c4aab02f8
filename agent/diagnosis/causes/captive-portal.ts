/** Something on the road answers TLS with plain text. */
import type { FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { httpAnswerOf, isRedirect, isWebPage, sentElsewhere } from '../http-answers.js'
import { pages } from '../pages.js'
import { portalAnswer } from '../probe-facts.js'
import { closeOfAttempt, innermost } from '../wire-facts.js'
import { addressesOf, dialled, errorText } from '../words.js'

/** How OpenSSL says that the answer was no TLS at all. */
const notTls = /wrong version number|packet length too long|http request|https proxy request/i

const proxied = maybe(
  'proxy-required',
  'Ask whether this network lets only a proxy out. A login page would show in a browser instead.',
)

/** A hub never sends anybody elsewhere, and has no pages to show. */
function judgeHttp(attempt: FailedAttempt): Finding | null {
  const answer = httpAnswerOf(attempt)
  if (answer === null) return null
  // RFC 6585 made this status for portals, and for nothing else.
  if (answer.status === 511) return { confidence: 'certain', evidence: [answer.sentence], runnersUp: [] }
  if (!isRedirect(answer) && !isWebPage(answer)) return null
  const elsewhere = sentElsewhere(answer, attempt.host)
  return {
    confidence: elsewhere === null ? 'possible' : 'likely',
    evidence: [answer.sentence, ...(elsewhere === null ? [] : [`It sends a browser to ${elsewhere}.`])],
    runnersUp: [
      proxied,
      maybe(
        'wrong-hub-hostname',
        'Compare the host name in the connection string with that of the hub: does a web server answer there?',
      ),
    ],
  }
}

/** Who has come as far as the sign-in has passed every portal. */
const beforeSignIn: ReadonlySet<string> = new Set(['dns', 'tcp', 'tls', 'upgrade'])

function judgePage(
  page: NonNullable<ReturnType<typeof portalAnswer>>,
  seen: readonly string[],
  attempt: FailedAttempt,
): Finding {
  const elsewhere = page.location === null ? '' : `, which sends a browser to ${page.location}`
  return {
    confidence: 'likely',
    evidence: [
      `A page that is known (${page.url}) was answered by somebody else (status ${page.status}${elsewhere}), while ${dialled(attempt)} could not be reached.`,
      ...seen,
    ],
    runnersUp: [proxied],
  }
}

export const captivePortal: Cause = {
  id: 'captive-portal',
  family: 'network',
  title: 'The network wants a login in a browser first',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'TCP is answered, and then comes something that is not TLS ("wrong version number"), or the WebSocket upgrade is answered with a redirect or a web page.',
    hub: 'Nothing: another machine answers in its place.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Guest networks in hotels, ports and shops answer every connection themselves until somebody has accepted their terms. A machine without a browser never gets past that.',
  tells: {
    raises: 'Port 443 answers with a redirect or a page; a plain web address leads to a login.',
    rulesOut: "TLS with the hub's own certificate is finished on that road.",
  },
  nextSteps: {
    device: [
      'Run `curl -i http://www.msftconnecttest.com/connecttest.txt`: anything but 200 and "Microsoft Connect Test" is a portal.',
      'Log in with a browser from the same network, or have this device exempted from the login.',
      'Check that host and port in the configuration are the hub and not a port without TLS.',
    ],
    portal: ['Ask the owner of the network for a connection without a login page.'],
  },
  docs: [pages.connectivity],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    const found = close === null ? judgeHttp(attempt) : null
    const page = attempt.proxy === null ? portalAnswer(evidence) : null
    if (found !== null || (page !== null && close !== null && beforeSignIn.has(close.stage))) {
      return page === null ? found : judgePage(page, found?.evidence ?? [], attempt)
    }
    if (close === null) return null
    if (close.stage !== 'tls') return null
    if (!innermost(close.error).some(({ code, message }) => notTls.test(`${message} ${code?.replaceAll('_', ' ')}`))) {
      return null
    }
    return {
      confidence: 'possible',
      evidence: [
        `Whoever answered for ${dialled(attempt)} at ${addressesOf(attempt, close.error)} does not speak TLS: ${errorText(close.error)}.`,
      ],
      runnersUp: [proxied],
    }
  },
}
