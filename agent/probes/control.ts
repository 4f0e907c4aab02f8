/** Whether another host, of the operator's choice, answers: then it is not the whole network. */
import { knock } from './dial.js'
import { addressOf, ask, common, type Probe } from './probe.js'

export const control: Probe = {
  name: 'control',
  async run(context, tell) {
    if (context.control === null) return
    const { host, port } = context.control
    const asked = await ask(context, async signal => knock(await addressOf(context, host, signal), port, signal))
    if (asked !== null) tell({ probe: 'control', ...common(asked), host, port })
  },
}
