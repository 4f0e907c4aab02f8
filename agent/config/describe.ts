/** The configuration as a bundle shows it. */
import { createHash } from 'node:crypto'
import type { Config } from './config.js'

/**
 * A Config holds the places of secrets, and its container URLs were refused if they had a query or credentials; only a
 * proxy's URL may have some, and they are taken out.
 *
 * @returns `hash` tells two configurations apart at a glance: 12 hex digits of the SHA-256 of the settings' JSON
 */
export function describeConfig(config: Config): Readonly<{ settings: Config; hash: string }> {
  const { connection } = config
  const settings = { ...config, connection: { ...connection, proxy: withoutCredentials(connection.proxy) } }
  const hash = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12)
  return { settings, hash }
}

function withoutCredentials(proxy: string | null): string | null {
  if (proxy === null) return null
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}
