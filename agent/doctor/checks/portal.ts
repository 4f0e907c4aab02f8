/** Whether this network wants somebody to sign in first. */
import { answersOf } from '../../diagnosis/probe-facts.js'
import { errorText } from '../../diagnosis/words.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

export const portal: Check = {
  id: 'portal',
  family: 'network',
  question: 'Does this network want somebody to sign in first?',
  why: 'Guest networks and hotels hold everything back until a page was clicked, which no gateway can.',
  remedies: [
    'Open any page without TLS in a browser on this network and sign in, or have the address of this device exempted.',
    'Where this device may reach nothing but its hub, set `probes.portalUrl` to null.',
  ],
  needs: ['identity'],
  async ask({ probed, config, target }) {
    const [answer] = answersOf({ probes: await probed() }, 'portal')
    if (answer === undefined) {
      if ((await config()).config.probes.portalUrl === null)
        return skipped('no page is configured (`probes.portalUrl`)')
      return skipped(
        (await target()).hasProxy
          ? 'there is a proxy, past which no page is asked for'
          : 'there was no time to ask for the page',
      )
    }
    const { url, status, location, isPortal, error } = answer
    const info = { url, status, location }
    if (error !== null) return warning(`${url} was not answered as it should be: ${errorText(error)}`, info)
    if (!isPortal) return ok(`${url} was answered by whom it was meant for`, info)
    return failed(
      `${url} was answered with status ${status}${location === null ? ' and another page' : `, and sends us to ${location}`}`,
      info,
    )
  },
}
