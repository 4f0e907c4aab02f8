/** Whether a port of the hub takes connections. */
import { answersOf } from '../../diagnosis/probe-facts.js'
import { errorText } from '../../diagnosis/words.js'
import { type Check, failed, ok, skipped } from '../check.js'
import { hubPort, type Over, titleOf, wordOf } from '../hub-port.js'

export const tcp = (over: Over): Check => ({
  id: `tcp-${wordOf(over)}`,
  family: 'hub',
  question: `Does the port of ${titleOf(over)} take connections?`,
  why: 'Firewalls often let the port of the web through and no other.',
  remedies: [
    'Have the port opened toward the hub, or set `connection.protocol` to one whose port is open (`auto` finds it).',
    'Run `nc -vz HUB 443` and `nc -vz HUB 8883` and compare.',
  ],
  needs: ['identity', 'hub-name'],
  async ask(facts) {
    const { port, isNeeded } = await hubPort(facts, over)
    const { proxy } = await facts.target()
    if (proxy !== null) return skipped('the way leads through a proxy')
    const asked = answersOf({ probes: await facts.probed() }, 'connect').filter(
      each => each.port === port && !each.isLastGood,
    )
    if (asked.length === 0) {
      const { hasProxy } = await facts.target()
      return skipped(
        over === 'mqtt-ws' && hasProxy
          ? 'it would be reached through the proxy, and is not asked past it'
          : 'the name led to no address in time',
      )
    }
    const [first] = asked
    const open = asked.find(({ error }) => error === null)
    const info = { port, address: (open ?? first)?.address ?? null, tookMs: open?.tookMs ?? null, needed: isNeeded }
    if (open) return ok(`${open.address}:${port} takes connections, after ${Math.round(open.tookMs)} ms`, info)
    const found = `${first?.address}:${port} takes none: ${errorText(first?.error ?? null)}`
    return isNeeded
      ? failed(found, info)
      : { ...skipped(`${found}; ${titleOf(over)} is not what is configured here`), info }
  },
})
