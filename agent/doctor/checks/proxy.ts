/** Whether the proxy answers, where one is on the way. */
import { answersOf } from '../../diagnosis/probe-facts.js'
import { errorText } from '../../diagnosis/words.js'
import { type Check, failed, ok, skipped } from '../check.js'

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
