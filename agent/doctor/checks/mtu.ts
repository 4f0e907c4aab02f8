/** Whether large packets may vanish on the way: small ones pass, and the first large one is the server's certificate. */
import { join } from 'node:path'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { readText } from '../../evidence/samples/files.js'
import { routes } from '../../evidence/samples/routes.js'
import { type Check, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

/** RFC 8200: what IPv6 has to carry. */
const smallest = 1_280

export const mtu: Check = {
  id: 'mtu',
  family: 'network',
  question: 'Do large packets get through?',
  why: 'Where a tunnel or a mobile link takes less than it says, connections open and die at the first large packet.',
  remedies: [
    'Run `ping -M do -s 1372 HOST` against any host on the same road: if only small packets pass, it is this.',
    'Lower the MTU of the interface: `ip link set dev IFACE mtu 1400`.',
  ],
  needs: ['identity', 'route'],
  async ask(facts) {
    const found = (await routes.read(readingContext(facts))) as Readonly<{
      v4: readonly Readonly<{ interface: string }>[] | null
    }> | null
    const name = found?.v4?.[0]?.interface
    if (name === undefined) return skipped('there is no default route')
    const bytes = Number((await readText(join(facts.roots.sysRoot, 'class/net', name, 'mtu')))?.trim())
    const { host } = await facts.target()
    const probes = await facts.probed()
    const silent = answersOf({ probes }, 'tls').find(
      each =>
        each.error?.code === 'ETIMEDOUT' &&
        answersOf({ probes }, 'connect').some(({ port, error }) => port === each.port && error === null),
    )
    const info = { interface: name, mtuBytes: Number.isFinite(bytes) ? bytes : null }
    if (silent)
      return warning(
        `${host}:${silent.port} takes connections and TLS is not answered, with ${bytes} bytes on ${name}: large packets may get lost, or nobody speaks there`,
        info,
      )
    if (!Number.isFinite(bytes)) return skipped(`the MTU of ${name} is not shown`)
    if (bytes < smallest) return warning(`${name} takes ${bytes} bytes, less than any road has to`, info)
    // A certificate is the first large packet: whether it was trusted is another question.
    const isThrough = answersOf({ probes }, 'tls').some(
      ({ error, certificate }) => error === null || certificate !== null,
    )
    return isThrough
      ? ok(`${name} takes ${bytes} bytes, and TLS came through`, info)
      : skipped(`${name} takes ${bytes} bytes; nothing large has come through that would tell more`)
  },
}
