/** What repeats itself is told, and tells a forgotten token from a chance. */
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import { overMidnight } from '../../agent/diagnosis/rhythm.js'
import type { CredentialUsed, PastSession } from '../../agent/evidence/episode.js'
import type { ClosedEvent } from '../../transports/wire-event.js'
import { after, evidenceOf, past } from '../support/evidence.js'
import { compare } from '../support/verdicts.js'

const minuteMs = 60_000
const dayMs = 1_440 * minuteMs
const midnightMs = Date.parse('2026-11-26T00:00:00.000Z')

const at = (endedMs: number, lastedMs: number, end: Partial<ClosedEvent> = {}): PastSession => ({
  ...past(lastedMs, end),
  startedMs: endedMs - lastedMs,
  endedMs,
})

/** What the verdict says beside the cause's own words. */
const rhythm = (...sessions: PastSession[]): readonly string[] =>
  diagnose(evidenceOf(after(...sessions))).verdict.evidence.filter(each =>
    /^The last \d+ (sessions ended alike|days)/.test(each),
  )

t.test('sessions that end alike after the same time are said to', async t => {
  const minutes = (...lengths: number[]) => rhythm(...lengths.map(each => past(each * minuteMs)))
  t.strictSame(minutes(45.1, 45, 45.2), [
    'The last 3 sessions ended alike after the same time, about 45 min 12 s. That is the age at which the SDK renews its token.',
  ])
  t.strictSame(minutes(7, 61, 60.5, 61, 60.8), [
    'The last 4 sessions ended alike after the same time, about 1 h 0 min. That is as long as a token of the SDK lives.',
  ])
  t.strictSame(minutes(480, 480.1, 479.9), [
    'The last 3 sessions ended alike after the same time, about 7 h 59 min. What ends them keeps time: a setting, a timer, a lease.',
  ])
  t.strictSame(minutes(45, 45), [], 'two may be alike by chance')
  t.strictSame(minutes(45, 45, 52), [])
  t.strictSame(minutes(1, 1, 1), [], 'what comes back at once has rules of its own')
  t.strictSame(rhythm(past(45 * minuteMs), past(45 * minuteMs, { how: 'rst' }), past(45 * minuteMs)), [], 'not alike')
  const renewal = { by: 'us', how: 'goodbye', reason: 'renewal' } as const
  t.strictSame(rhythm(...[1, 2, 3].map(() => past(45 * minuteMs, renewal))), [], 'that is meant to be so')
})

t.test('losses at the same time of day are said to be', async t => {
  const daily = (firstMs: number, ...days: number[]) =>
    rhythm(
      ...days.flatMap(day => [
        at(firstMs + day * dayMs - 7_200_000, 3_600_000, { how: 'rst', by: 'unknown' }),
        at(firstMs + day * dayMs, (100 + day * 7) * minuteMs),
      ]),
    )
  t.strictSame(daily(midnightMs + 185 * minuteMs, 0, 1, 2), [
    'The last 3 days had a loss at this time of day, about 03:05 UTC. Look for what happens then: a router that dials anew, a scheduled job, a time switch.',
  ])
  t.strictSame(daily(midnightMs + minuteMs, 0, 1, 2, 3), [
    'The last 4 days had a loss at this time of day, about 00:01 UTC. A day of the hub ends then: look for jobs that start at 00:00 UTC, here and in the cloud.',
  ])
  t.strictSame(daily(midnightMs, 0, 1), [])
  t.strictSame(daily(midnightMs, 0, 1, 3), [], 'a day is missing')
  t.strictSame(rhythm(...[0, 1, 2].map(day => at(8.64e15 + day * dayMs, 1e6 * (day + 1)))), [], 'no clock reads that')
})

t.test('closes after the life of a token are a token that nobody renews, where tokens are made from a key', async t => {
  const hourly = after(past(3_630_000), past(3_620_000), past(3_640_000))
  const with_ = (credential: CredentialUsed | null, ending = hourly) =>
    evidenceOf({ ...ending, ending: { ...ending.ending, credential } as typeof ending.ending })
  compare(t, [
    {
      story: 'a key',
      evidence: with_({ kind: 'key', expiresAt: null }),
      verdict: 'sas-expired possible',
      runnersUp: ['hub-upgrade-or-failover'],
    },
    { story: 'nobody says with what', evidence: with_(null), verdict: 'sas-expired possible' },
    { story: 'a certificate', evidence: with_({ kind: 'x509', expiresAt: null }), verdict: 'unknown-close unknown' },
    {
      story: 'twice only',
      evidence: with_(null, after(past(3_630_000), past(3_620_000))),
      verdict: 'unknown-close unknown',
    },
  ])
})

t.test('closes upon messages that go on over midnight are no quota', async t => {
  const upon = { afterPublish: true }
  const before = [at(midnightMs - 120_000, 1_000, upon), at(midnightMs - 60_000, 1_000, upon)]
  compare(t, [
    { story: 'before it', evidence: evidenceOf(after(...before)), verdict: 'quota-exceeded possible' },
    {
      story: 'and some minutes after it',
      evidence: evidenceOf(after(...before, at(midnightMs + 5 * minuteMs, 1_000, upon))),
      verdict: 'quota-exceeded possible',
    },
    {
      story: 'and long after it',
      evidence: evidenceOf(after(...before, at(midnightMs + 11 * minuteMs, 1_000, upon))),
      verdict: 'unknown-close unknown',
      runnersUp: ['quota-exceeded', 'illegal-topic', 'hub-upgrade-or-failover', 'throttled'],
    },
  ])
  t.equal(overMidnight([]), false)
})
