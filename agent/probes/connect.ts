/** Which ports of the hub answer TCP, where its name leads now and where it led when it worked. */
import { findAddresses } from './addresses.js'
import { knock } from './dial.js'
import { ask, common, type Probe } from './probe.js'

export const connect: Probe = {
  name: 'connect',
  async run(context, tell) {
    const { host, ports, heard, proxy } = context
    if (proxy !== null) return
    const { now, lastGood } = await findAddresses(context)
    const untold = ports.filter(port => !heard.tcp.includes(port))
    const dials = [
      ...now.slice(0, 1).flatMap(address => untold.map(port => ({ address, port, isLastGood: false }))),
      ...lastGood.flatMap(address => ports.map(port => ({ address, port, isLastGood: true }))),
    ]
    await Promise.all(
      dials.map(async ({ address, port, isLastGood }) => {
        const asked = await ask(context, signal => knock(address, port, signal))
        if (asked !== null) tell({ probe: 'connect', ...common(asked), host, address, port, isLastGood })
      }),
    )
  },
}
