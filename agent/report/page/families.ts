/** The colours of causes: one for each family of them. */
import type { Family } from '../../diagnosis/cause.js'
import type { ReportSummary } from '../report.js'

const names: Readonly<Record<Family, string>> = {
  network: 'the network',
  tls: 'TLS and certificates',
  credential: 'the credential',
  identity: 'the identity',
  service: 'the service',
  protocol: 'the protocol',
  local: 'this device',
  unknown: 'unknown',
}

export type Families = Readonly<{
  classOf(cause: string): string
  /** Of the outages that were not planned, with what to call them. */
  present: readonly (readonly [className: string, name: string])[]
}>

export function familiesOf(summary: ReportSummary | null): Families {
  const causes = summary?.causes ?? []
  const families = new Map(causes.map(({ cause, family }) => [cause, family in names ? family : 'unknown']))
  const seen = new Set(causes.filter(({ planned }) => !planned).map(({ cause }) => families.get(cause) ?? 'unknown'))
  return {
    classOf: cause => `family-${families.get(cause) ?? 'unknown'}`,
    present: Object.entries(names).flatMap(([family, name]) =>
      seen.has(family as Family) ? [[`family-${family}`, name] as const] : [],
    ),
  }
}
