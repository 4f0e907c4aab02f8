/** Whose certificate is behind a port of the hub. */
import { chainCodes } from '../../diagnosis/chain.js'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { certificateText, errorText } from '../../diagnosis/words.js'
import { type Check, failed, ok, skipped } from '../check.js'
import { hubPort, type Over, titleOf, wordOf } from '../hub-port.js'

const whenSilent = [
  'The port takes connections and nobody speaks TLS there: ask again in a minute, and look at the health of the service (Azure portal, Service Health).',
  'Where other TLS of this host hangs too, a firewall on the road may hold it, or large packets get lost: see `mtu`.',
]

export const tls = (over: Over): Check => ({
  id: `tls-${wordOf(over)}`,
  family: 'hub',
  question: `Is it the hub that answers behind the port of ${titleOf(over)}?`,
  why: 'What opens TLS on the road (inspection) shows a certificate of its own, and no SDK takes it.',
  remedies: [
    'Read the issuer: the name of a company or of a firewall maker tells who opens the traffic; have the hub exempted.',
    "Where the chain is the hub's own: install its root (`apt install ca-certificates`), or name it in `connection.caFile`.",
    'Where a date is wrong: look at the clock first.',
  ],
  needs: [`tcp-${wordOf(over)}`],
  async ask(facts) {
    const { port, isNeeded } = await hubPort(facts, over)
    const asked = answersOf({ probes: await facts.probed() }, 'tls').find(
      each => each.port === port && !each.isLastGood,
    )
    if (asked === undefined)
      return skipped(isNeeded ? 'nobody answered there' : 'it is not asked where it is not configured')
    const { version, certificate, error } = asked
    const info = { port, version, certificate, needed: isNeeded }
    if (error === null)
      return ok(`${version}, certificate for ${certificate?.subject}, issued by ${certificate?.issuer}`, info)
    const whose =
      certificate?.knownRoot === true
        ? " The chain is one of IoT Hub's: its root is missing here."
        : certificate?.knownRoot === false
          ? ' The chain leads to no root of IoT Hub: somebody else answers.'
          : certificate !== null && chainCodes.has(error.code ?? '')
            ? ' The chain leads to no root that is trusted here: somebody else answers, or it has a root of your own, which is missing in `connection.caFile`.'
            : ''
    const found = `${errorText(error)}.${certificate === null ? '' : ` ${certificateText(certificate)}`}${whose}`
    if (!isNeeded) return { ...skipped(`${found} It is not what is configured here`), info }
    return failed(found, info, error.code === 'ETIMEDOUT' ? whenSilent : undefined)
  },
})
