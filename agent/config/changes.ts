/** What differs between two configurations, and which of it a running daemon takes over. */
import type { Config } from './config.js'

/** Read whenever they are needed. Everything else was built into something at the start. */
const liveKeys: ReadonlySet<string> = new Set([
  'logLevel',
  'upload.allowedContainers',
  'upload.privateHosts',
  'probes.controlHost',
  'probes.controlName',
  'probes.portalUrl',
  'probes.portalText',
  'probes.resolvers',
])

export type Changes = Readonly<{
  /** Keys as in `upload.privateHosts`, in the order of the configuration. */
  live: readonly string[]
  needRestart: readonly string[]
  /** As before, but for what is live. */
  config: Config
}>

export function changesOf(before: Config, after: Config): Changes {
  const keys = changedKeys(before, after)
  const { logLevel, upload } = after
  const probes = { ...after.probes, enabled: before.probes.enabled }
  return {
    live: keys.filter(key => liveKeys.has(key)),
    needRestart: keys.filter(key => !liveKeys.has(key)),
    config: { ...before, logLevel, upload, probes },
  }
}

function changedKeys(before: unknown, after: unknown, path: readonly string[] = []): readonly string[] {
  if (isSection(before) && isSection(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap(key => changedKeys(before[key], after[key], [...path, key]))
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path.join('.')]
}

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
