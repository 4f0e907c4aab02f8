/** What a cause advises in general, in the names of this device's hub: so that a command can be copied as it stands. */
import { cloudOf } from '../../transports/clouds.js'
import type { Evidence } from '../evidence/episode.js'

/** Who the device dialled last; `null` where nothing was dialled yet, or under a name that no shell should be given. */
export type Dialled = Readonly<{ host: string; port: number }> | null

/** Of names and addresses; of anything else a command line might make something else. */
const plain = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i

export function dialledIn({ failed, cameBack }: Evidence): Dialled {
  const { host, port } = failed.at(-1) ?? cameBack ?? { host: '', port: 0 }
  return plain.test(host) && host.length <= 253 ? { host, port } : null
}

/** @param text with `HUB` for the host, `HUB:8883` for host and port, and `HUBNAME` for its first part */
export function addressed(text: string, dialled: Dialled): string {
  if (dialled === null) return text
  const { host, port } = dialled
  return text
    .replaceAll('HUB:8883', `${host}:${port}`)
    .replace(/\bHUB\b/g, host)
    .replace(/\bHUBNAME\b/g, cloudOf(host) === null ? 'HUBNAME' : host.slice(0, host.indexOf('.')))
}

/** Each cloud has a portal of its own, and says nothing of the devices of another; the first step that leads there names it. */
export function withPortal(steps: readonly string[], dialled: Dialled): string[] {
  const cloud = dialled && cloudOf(dialled.host)
  const first = steps.findIndex(step => step.startsWith('In the portal'))
  return steps.map((step, at) =>
    cloud && at === first ? step.replace('In the portal', `In the portal (${cloud.portal})`) : step,
  )
}
