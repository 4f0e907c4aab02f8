/** What may stand between this device and the hub: a portal, a proxy; and whether anything else answers at all. */
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
  async ask({ probed }) {
    const [answer] = answersOf({ probes: await probed() }, 'portal')
    if (answer === undefined) return skipped('there is a proxy, or no page is configured')
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

export const proxy: Check = {
  id: 'proxy',
  family: 'network',
  question: 'Does the proxy answer?',
  why: 'Where a proxy is set, WebSocket, uploads and the provisioning service go through it.',
  remedies: [
    'Check `connection.proxy` and HTTPS_PROXY, and that the proxy is up.',
    'Try `curl -v --proxy http://PROXY:PORT https://HUB/`.',
  ],
  needs: ['identity'],
  async ask({ probed, target, config, secret, identity }) {
    const [{ config: found }, { findProxy }, { host }] = await Promise.all([config(), secret(), identity()])
    const set = findProxy(host, found.connection.ports.https)
    if (set === null) return skipped('none is set')
    const where = `${set.host}:${set.port}`
    if ((await target()).proxy === null)
      return ok(`${where} is set, for uploads and the provisioning service; the connection does not use it`)
    const [answer] = answersOf({ probes: await probed() }, 'proxy')
    if (answer === undefined) return skipped('it was not asked')
    return answer.error === null
      ? ok(`${where} takes connections`)
      : failed(`${where} takes none: ${errorText(answer.error)}`)
  },
}

export const control: Check = {
  id: 'control-host',
  family: 'network',
  question: 'Does another host answer?',
  why: 'What is dead alone is the hub or the way to it; what is dead together is this network.',
  remedies: ['Look at the router and its way out: nothing beyond this network answers.'],
  needs: ['identity'],
  async ask({ probed }) {
    const [answer] = answersOf({ probes: await probed() }, 'control')
    if (answer === undefined) return skipped('none is configured (`probes.controlHost`)')
    const where = `${answer.host}:${answer.port}`
    return answer.error === null
      ? ok(`${where} takes connections`)
      : failed(`${where} takes none: ${errorText(answer.error)}`)
  },
}
