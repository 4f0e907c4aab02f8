/** The configuration as a bundle shows it. */
import { createHash } from 'node:crypto'
import type { Config } from './config.js'

/**
 * Nothing has to be taken out: a Config holds the places of secrets and never a secret, and its container URLs were
 * refused if they had a query or credentials.
 *
 * @returns `hash` tells two configurations apart at a glance: 12 hex digits of the SHA-256 of the settings' JSON
 */
export function describeConfig(config: Config): Readonly<{ settings: Config; hash: string }> {
  const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 12)
  return { settings: config, hash }
}
