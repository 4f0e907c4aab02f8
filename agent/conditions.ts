/**
 * Lasting conditions: what does not end by itself and is no outage. Whatever finds one says so anew each time that it is asked; here it
 * is known since when, whether it has lasted long enough to be worth a word, and whether it follows from another.
 */
import type { Clock } from '../transports/clock.js'

/** Kebab-case, never renamed or used for something else: queries over twins rely on them. */
export const conditionCodes = [
  'clock-impossible',
  'clock-unsynchronised',
  'credential-doubtful',
  'credential-expired',
  'credential-expiring',
  'credential-unavailable',
  'ring-in-memory',
  'ring-writes-grouped',
  'sdk-outdated',
  'verbosity-raised',
] as const

export type ConditionCode = (typeof conditionCodes)[number]

export type Condition = Readonly<{
  code: ConditionCode
  /** Wall time, RFC 3339. */
  since: string
  severity: 'warning' | 'error'
  text: string
  /** Codes of conditions that this one may be the mere echo of: while one of them stands, this one is not shown. */
  dependsOn: readonly ConditionCode[]
}>

/** As it is found. `since`: where it is known to be older than its finding. */
export type FoundCondition = Omit<Condition, 'since'> & Readonly<{ since?: string }>

export interface Conditions {
  /** All that are found now; to be called now and then, and when something has changed. */
  look(found: readonly FoundCondition[]): void
  /** Those that have lasted, and do not follow from another. */
  shown(): readonly Condition[]
}

/** What passes sooner is not worth a word. */
const lastsMs = 10_000

type Known = Readonly<{ condition: Condition; foundBootMs: number; isTold: boolean }>

/** @param tell told of each when it has lasted, and when it is over after that */
export function createConditions(
  clock: Clock,
  tell: (condition: Condition, state: 'begun' | 'over') => void,
): Conditions {
  let known: ReadonlyMap<string, Known> = new Map()

  const isShown = ({ condition, foundBootMs }: Known): boolean =>
    clock.now().bootMs - foundBootMs >= lastsMs && !condition.dependsOn.some(code => known.has(code))

  return {
    look(found) {
      const before = known
      const { wallMs, bootMs } = clock.now()
      known = new Map(
        found.map(each => {
          const old = before.get(each.code)
          const since = each.since ?? old?.condition.since ?? new Date(wallMs).toISOString()
          const condition = { ...each, since }
          return [each.code, { condition, foundBootMs: old?.foundBootMs ?? bootMs, isTold: old?.isTold ?? false }]
        }),
      )
      for (const [code, { condition, isTold }] of before) if (isTold && !known.has(code)) tell(condition, 'over')
      known = new Map(
        [...known].map(([code, each]) => {
          if (each.isTold || !isShown(each)) return [code, each]
          tell(each.condition, 'begun')
          return [code, { ...each, isTold: true }]
        }),
      )
    },
    shown: () => [...known.values()].filter(isShown).map(({ condition }) => condition),
  }
}
