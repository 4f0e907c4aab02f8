/** For each protocol whether its port takes connections, and whose certificate is behind it. */
import type { Protocol } from '../../../transports/wire-event.js'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { certificateText, errorText } from '../../diagnosis/words.js'
import { portOf } from '../../protocols.js'
import { type Check, failed, ok, skipped } from '../check.js'
import type { Facts } from '../facts.js'

type Way = Readonly<{ id: string; title: string; port: number; over: Protocol; isNeeded: boolean }>

/** The three ports by which a hub is reached; two protocols share that of the web. */
const titles = { mqtt: 'MQTT', amqp: 'AMQP', 'mqtt-ws': 'WebSocket' } as const

async function wayOf({ config, identity, protocols }: Facts, over: keyof typeof titles): Promise<Way> {
  const [{ config: found }, { port }, wanted] = await Promise.all([config(), identity(), protocols()])
  const isNeeded = wanted.some(each => each === over || (over === 'mqtt-ws' && each === 'amqp-ws'))
  return {
    id: over,
    title: titles[over],
    port: portOf(over, port, found.connection.ports),
    over,
    isNeeded,
  }
}

const tcpOver = (over: keyof typeof titles): Check => ({
  id: `tcp-${over === 'mqtt-ws' ? 'websocket' : over}`,
  family: 'hub',
  question: `Does the port of ${titles[over]} take connections?`,
  why: 'Firewalls often let the port of the web through and no other.',
  remedies: [
    'Have the port opened toward the hub, or set `connection.protocol` to one whose port is open (`auto` finds it).',
    'Run `nc -vz HUB 443` and `nc -vz HUB 8883` and compare.',
  ],
  needs: ['identity', 'hub-name'],
  async ask(facts) {
    const { port, title, isNeeded } = await wayOf(facts, over)
    const { proxy } = await facts.target()
    if (proxy !== null) return skipped('the way leads through a proxy')
    const asked = answersOf({ probes: await facts.probed() }, 'connect').filter(
      each => each.port === port && !each.isLastGood,
    )
    if (asked.length === 0) return skipped('the name led to no address')
    const [first] = asked
    const open = asked.find(({ error }) => error === null)
    const info = { port, address: (open ?? first)?.address ?? null, tookMs: open?.tookMs ?? null, needed: isNeeded }
    if (open) return ok(`${open.address}:${port} takes connections, after ${Math.round(open.tookMs)} ms`, info)
    const found = `${first?.address}:${port} takes none: ${errorText(first?.error ?? null)}`
    return isNeeded ? failed(found, info) : ok(`${found}; ${title} is not what is configured here`, info)
  },
})

const tlsOver = (over: keyof typeof titles): Check => ({
  id: `tls-${over === 'mqtt-ws' ? 'websocket' : over}`,
  family: 'hub',
  question: `Is it the hub that answers behind the port of ${titles[over]}?`,
  why: 'What opens TLS on the road (inspection) shows a certificate of its own, and no SDK takes it.',
  remedies: [
    'Read the issuer: the name of a company or of a firewall maker tells who opens the traffic; have the hub exempted.',
    "Where the chain is the hub's own: install its root (`apt install ca-certificates`), or name it in `connection.caFile`.",
    'Where a date is wrong: look at the clock first.',
  ],
  needs: [`tcp-${over === 'mqtt-ws' ? 'websocket' : over}`],
  async ask(facts) {
    const { port, isNeeded } = await wayOf(facts, over)
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
          : ''
    const found = `${errorText(error)}.${certificate === null ? '' : ` ${certificateText(certificate)}`}${whose}`
    return isNeeded ? failed(found, info) : ok(`${found} It is not what is configured here`, info)
  },
})

export const ports: readonly Check[] = (['mqtt', 'amqp', 'mqtt-ws'] as const).flatMap(over => [
  tcpOver(over),
  tlsOver(over),
])
