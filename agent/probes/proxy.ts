/** Whether the proxy answers, where the hub is reached through one. */
import { knock } from './dial.js'
import { addressOf, ask, common, type Probe } from './probe.js'

export const proxy: Probe = {
  name: 'proxy',
  async run(context, tell) {
    if (context.proxy === null || context.heard.proxy) return
    const { host, port } = context.proxy
    const asked = await ask(context, async signal => knock(await addressOf(context, host, signal), port, signal))
    if (asked !== null) tell({ probe: 'proxy', ...common(asked), host, port })
  },
}
