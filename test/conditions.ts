/** What lasts is told of once, with its beginning and its end; what passes, or follows from something else, is not. */
import t from 'tap'
import { conditionsIn } from '../agent/condition-checks.js'
import { type ConditionCode, createConditions, type FoundCondition } from '../agent/conditions.js'
import type { RingState } from '../agent/ring/ring.js'
import { latest } from '../agent/sdk-versions.js'

const startMs = Date.parse('2026-11-26T00:00:00.000Z')

function scene() {
  const time = { ms: 0 }
  const told: string[] = []
  const clock = { bootId: 'boot', now: () => ({ wallMs: startMs + time.ms, monoMs: time.ms, bootMs: time.ms }) }
  const conditions = createConditions(clock, ({ code }, state) => void told.push(`${code} ${state}`))
  const lookAt = (ms: number, ...found: FoundCondition[]): string[] => {
    time.ms = ms
    conditions.look(found)
    return conditions.shown().map(({ code }) => code)
  }
  return { lookAt, told, conditions }
}

const found = (code: ConditionCode, more: Partial<FoundCondition> = {}): FoundCondition => ({
  code,
  severity: 'warning',
  text: code,
  dependsOn: [],
  ...more,
})

t.test('a condition is shown when it has lasted for ten seconds, since it was found', async t => {
  const { lookAt, told, conditions } = scene()
  t.strictSame(lookAt(1_000, found('ring-in-memory')), [])
  t.strictSame(lookAt(10_999, found('ring-in-memory')), [])
  t.strictSame(told, [])
  t.strictSame(lookAt(11_000, found('ring-in-memory', { text: 'still' })), ['ring-in-memory'])
  t.strictSame(conditions.shown(), [
    { code: 'ring-in-memory', since: '2026-11-26T00:00:01.000Z', severity: 'warning', text: 'still', dependsOn: [] },
  ])
  lookAt(12_000, found('ring-in-memory'))
  t.strictSame(lookAt(13_000), [])
  t.strictSame(told, ['ring-in-memory begun', 'ring-in-memory over'])
  t.strictSame(lookAt(14_000, found('ring-in-memory')), [], 'another time is another beginning')
})

t.test('what passes sooner is never told of, not even its end', async t => {
  const { lookAt, told } = scene()
  lookAt(0, found('ring-in-memory'))
  lookAt(9_000)
  t.strictSame(told, [])
})

t.test('who finds it may know that it is older', async t => {
  const { lookAt, conditions } = scene()
  const since = '2026-11-01T00:00:00.000Z'
  lookAt(0, found('credential-expired', { since }))
  lookAt(20_000, found('credential-expired', { since }))
  t.match(conditions.shown(), [{ since }])
})

t.test('what follows from another condition is not shown beside it', async t => {
  const { lookAt, told } = scene()
  const echo = found('credential-expired', { dependsOn: ['clock-impossible'] })
  lookAt(0, echo, found('clock-impossible'))
  t.strictSame(lookAt(20_000, echo, found('clock-impossible')), ['clock-impossible'])
  t.strictSame(lookAt(30_000, echo), ['credential-expired'])
  t.strictSame(told, ['clock-impossible begun', 'clock-impossible over', 'credential-expired begun'])
})

const ring: RingState = {
  mode: 'disk',
  firstSeq: 1,
  lastSeq: 1,
  lostUnsaid: 0,
  writesAreGrouped: false,
  writtenDayBytes: 0,
  budgetBytes: 1,
  bytes: 0,
  segments: 1,
}

const well = {
  nowMs: startMs,
  upMs: 3_600_000,
  ring,
  credential: { identity: null, since: '2026-11-26T00:00:00.000Z', unknown: null },
  synchronised: true,
  sdk: latest,
  applications: [],
  verbosity: null,
} as const

const codes = (facts: Partial<Parameters<typeof conditionsIn>[0]>): string[] =>
  conditionsIn({ ...well, ...facts }).map(({ code }) => code)

t.test('each check finds its own and nothing else', async t => {
  t.strictSame(codes({}), [])
  t.strictSame(codes({ ring: { ...ring, mode: 'memory', refusal: 'ENOSPC' } }), ['ring-in-memory'])
  t.strictSame(codes({ ring: { ...ring, writesAreGrouped: true, writtenDayBytes: 3e8 } }), ['ring-writes-grouped'])
  t.strictSame(codes({ nowMs: 0 }), ['clock-impossible'])
  t.strictSame(codes({ synchronised: false }), ['clock-unsynchronised'])
  t.strictSame(codes({ synchronised: false, upMs: 60_000 }), [], 'it has just booted')
  t.strictSame(codes({ synchronised: null }), [], 'the host does not say')
  t.strictSame(codes({ credential: { ...well.credential, unknown: 'no answer' } }), ['credential-unavailable'])
  t.strictSame(codes({ sdk: { ...latest, device: '1.17.0' } }), ['sdk-outdated'])
  const raised = { by: 'mark-1', since: '2026-11-26T00:00:00.000Z', until: '2026-11-26T00:10:00.000Z' }
  t.strictSame(codes({ verbosity: raised }), ['verbosity-raised'])
  t.strictSame(
    codes({
      applications: [
        { name: 'app', sdk: latest },
        { name: 'silent', sdk: null },
      ],
    }),
    [],
  )
  t.match(conditionsIn({ ...well, applications: [{ name: 'app', sdk: { ...latest, amqp: '1.9.0' } }] }), [
    { code: 'sdk-outdated', text: /^app: azure-iot-device-amqp 1\.9\.0 is older than / },
  ])
})
