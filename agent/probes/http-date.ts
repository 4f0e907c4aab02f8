/** How far our clock is from a server's Date. Anybody on the way can write one: for suspicion only, and never to set a clock. */
import { isOfPortal } from './portal.js'
import { common, type Probe } from './probe.js'

/** The header has whole seconds. */
const halfGrainMs = 500

export const httpDate: Probe = {
  name: 'httpDate',
  async run(context, tell) {
    if (context.portal === null || context.proxy !== null) return
    const { url, text } = context.portal
    const asked = await context.get(url)
    // A portal's box has a clock of its own, and often a bad one.
    if (asked === null || asked.found === null || isOfPortal(asked.found, url, text)) return
    const { dateMs, wallMs } = asked.found
    if (dateMs === null) return
    const aheadMs = Math.round(wallMs - dateMs - halfGrainMs)
    tell({ probe: 'httpDate', ...common(asked), host: new URL(url).host, aheadMs })
  },
}
