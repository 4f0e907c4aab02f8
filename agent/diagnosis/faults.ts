/** Which outages count when somebody asks how often a device fails. */
import type { Episode } from '../evidence/episode.js'

/** The service's own doing, which every device meets and nobody at the device can change. */
const ofTheService: ReadonlySet<string> = new Set(['hub-upgrade-or-failover'])

/** Neither planned breaks (renewals, goodbyes) nor the service's upgrades are faults. */
export const countsAsFault = ({ planned, verdict }: Pick<Episode, 'planned' | 'verdict'>): boolean =>
  !planned && !ofTheService.has(verdict.cause)
