/** What is kept of an HTTP answer that said no: enough to see who answered, and nothing that could be a secret. */
import type { IncomingMessage } from 'node:http'

export type HttpRefusal = Readonly<{ code: number; reason: string; headers: Readonly<Record<string, string>> }>

const textMax = 200

/** The status line and the few headers that tell a portal, a proxy and the hub apart. */
export function refusalOf({ statusCode, statusMessage, headers }: IncomingMessage): HttpRefusal {
  const told: Record<string, string> = {}
  const keep = (name: string, read: (value: string) => string | undefined): void => {
    const value = headers[name]
    const text = value === undefined ? undefined : read(Array.isArray(value) ? value.join(', ') : value)
    if (text) told[name] = text.slice(0, textMax)
  }
  keep('location', withoutQuery)
  keep('server', asIs)
  keep('www-authenticate', schemes)
  keep('proxy-authenticate', schemes)
  keep('retry-after', asIs)
  keep('via', asIs)
  return { code: statusCode ?? 0, reason: (statusMessage ?? '').slice(0, textMax), headers: told }
}

const asIs = (text: string): string => text

/** A portal puts the session of whoever it caught into the query, and some put it in front of the host. */
function withoutQuery(location: string): string | undefined {
  const base = 'relative://there'
  if (!URL.canParse(location, base)) return undefined
  const { protocol, host, pathname } = new URL(location, base)
  return protocol === 'relative:' ? pathname : `${protocol}//${host}${pathname}`
}

/** `Basic realm="..."` is `Basic`: the rest may be a nonce. */
const schemes = (text: string): string =>
  text
    .split(',')
    .map(part => /^\s*([A-Za-z][\w-]*)(?:\s|$)/.exec(part)?.[1])
    .filter(Boolean)
    .join(', ')
