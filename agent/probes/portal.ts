/** Whether plain HTTP is answered by whom it was meant for, or by a portal that wants somebody to sign in first. */

import type { PlainAnswer } from './plain-http.js'
import { common, type Probe } from './probe.js'

export const portal: Probe = {
  name: 'portal',
  async run(context, tell) {
    if (context.portal === null || context.proxy !== null) return
    const { url, text } = context.portal
    const asked = await context.get(url)
    if (asked === null) return
    const { found } = asked
    const error = found !== null && isStrange(found) ? strange(found.status) : asked.error
    const { status = null, location = null } = found ?? {}
    const isPortal = found !== null && isOfPortal(found, url, text)
    tell({ probe: 'portal', ...common(asked), error, url, status, location, isPortal })
  },
}

/** RFC 6585: network authentication required. */
const signInFirst = 511

/** @param text what the host asked would say; `null`: whatever it says */
export function isOfPortal({ status, location, text: said }: PlainAnswer, url: string, text: string | null): boolean {
  if (status === signInFirst) return true
  if (status >= 300 && status < 400) return location !== null && new URL(location, url).host !== new URL(url).host
  return status === 200 && text !== null && !said.includes(text)
}

/** An answer that tells neither: a server that is not well, or a filter. */
const isStrange = ({ status }: PlainAnswer): boolean => status >= 400 && status !== signInFirst

const strange = (status: number) => ({
  name: 'ProbeError',
  code: `HTTP_${status}`,
  message: `answered with status ${status}`,
})
