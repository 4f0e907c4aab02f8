/** Whether another process of this host has a connection to the hub: two clients of one identity throw each other out. */
import { answersOf } from '../../diagnosis/probe-facts.js'
import { askForSockets } from '../../watch/ss.js'
import { type Check, ok, skipped, warning } from '../check.js'

export const otherClients: Check = {
  id: 'other-clients',
  family: 'host',
  question: 'Is this host connected to the hub by anything else?',
  why: 'A hub lets one client of an identity in: a second one throws the first out, and then the other way round.',
  remedies: [
    'Give each program an identity of its own, a module of the device for example.',
    'Run `ss -tnp` as root: it names the processes.',
  ],
  needs: ['identity'],
  async ask({ probed, target, daemon, options }) {
    const { host, ports } = await target()
    const addresses = new Set(
      answersOf({ probes: await probed() }, 'resolve').flatMap(each => (each.isHub ? each.addresses : [])),
    )
    if (addresses.size === 0) return ok('the name leads nowhere, so nothing is')
    const sockets = await askForSockets([...addresses]).catch((error: Error) => error)
    if (sockets instanceof Error)
      return (options.mayDisconnect ? ok : skipped)(`nobody knows: \`ss\` cannot be asked (${sockets.message})`)
    const mine = sockets.filter(
      ({ state, peer, process: owner }) =>
        state === 'ESTAB' && owner?.pid !== process.pid && ports.some(port => peer.endsWith(`:${port}`)),
    )
    // Where it is the recorder that asks, its own is not among them. One that cannot be asked is the affair of the check `daemon`.
    const isOnline = async (): Promise<boolean> => (await daemon().catch(() => null))?.connection.state === 'online'
    const own = options.isDaemon !== true && (await isOnline()) ? 1 : 0
    const info = { sockets: mine.map(({ peer, process, cgroup }) => ({ peer, process, cgroup })) }
    if (mine.length <= own) return ok(own === 1 ? 'only by the recorder' : 'by nothing', info)
    const named = mine
      .map(({ process, cgroup }) =>
        process ? `${process.name} (pid ${process.pid})` : (cgroup?.split('/').at(-1) ?? 'a process'),
      )
      .join(', ')
    const found = `${mine.length - own} more ${mine.length - own === 1 ? 'socket leads' : 'sockets lead'} to ${host}: ${named}`
    // Which identity each of them has is not to be seen from outside.
    return options.mayDisconnect || own === 1 || options.isDaemon === true
      ? warning(found, info)
      : { ...skipped(`${found}; a sign-in might throw it out, so it is left out without --may-disconnect`), info }
  },
}
