/** What the host went through decides between causes that the wire cannot tell apart, and stands beside every verdict. */
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Evidence } from '../../agent/evidence/episode.js'
import { type HostChange, type HostState, nothingSeen, type Surroundings } from '../../agent/evidence/surroundings.js'
import { after, evidenceOf, failedWith, lost, nowMs, past, systemError, timedOutAt } from '../support/evidence.js'
import { compare } from '../support/verdicts.js'

const second = 1_000
const silence = { how: 'timeout', by: 'us', reason: 'silence', silentMs: 90 * second } as const
const fin = { how: 'fin', by: 'hub' } as const

const state: HostState = {
  seenMs: nowMs,
  everyMs: 10_000,
  links: [{ name: 'eth0', carrier: true, addresses: ['192.0.2.7'], signalDbm: null, bssid: null }],
  defaultRoutes: ['eth0 via 192.0.2.1'],
  resolvers: ['192.0.2.1'],
  tcp: null,
}

const host = (changes: readonly HostChange[], more: Partial<Surroundings> = {}): Surroundings => ({
  ...nothingSeen,
  state,
  changes,
  ...more,
})
const lostCarrier = (name: string, agoMs: number): HostChange => ({
  what: 'carrierLost',
  interface: name,
  seenMs: nowMs - agoMs,
})
const lostRoute = (agoMs: number): HostChange => ({
  what: 'routeChanged',
  from: 'eth0 via 192.0.2.1',
  to: null,
  seenMs: nowMs - agoMs,
})
const slept = (suspendedMs: number): HostChange => ({ what: 'resumed', suspendedMs, seenMs: nowMs })

const unresolved = (more: Partial<Evidence> = {}): Evidence =>
  evidenceOf({ failed: [failedWith('dns', systemError('EAI_AGAIN', 'getaddrinfo'))], ...more })

t.test('a session that fell silent, and what the host lost at that time', async t => {
  compare(t, [
    {
      story: 'nothing: then it was the line',
      evidence: evidenceOf({ ending: lost(silence), host: host([]) }),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'the carrier of the interface that the default route leaves by',
      evidence: evidenceOf({ ending: lost(silence), host: host([lostCarrier('eth0', 80 * second)]) }),
      verdict: 'no-network certain',
      sees: [
        'eth0 lost its carrier (seen 1 min 20 s before it).',
        'Nothing had come from the hub for 1 min 30 s when the session was given up.',
      ],
      runnersUp: ['link-lost-keepalive'],
    },
    {
      story: 'the carrier of another interface, which carries nothing for the hub',
      evidence: evidenceOf({ ending: lost(silence), host: host([lostCarrier('wlan0', 80 * second)]) }),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'the default route itself',
      evidence: evidenceOf({
        ending: lost(silence),
        host: host([lostRoute(60 * second)], { state: { ...state, defaultRoutes: [] } }),
      }),
      verdict: 'no-network certain',
    },
    {
      story: 'the carrier for a moment, so that it may have been something else',
      evidence: evidenceOf({
        ending: lost(silence),
        host: host([
          lostCarrier('eth0', 80 * second),
          { what: 'carrierBack', interface: 'eth0', seenMs: nowMs - 80 * second },
        ]),
      }),
      verdict: 'no-network likely',
    },
    {
      story: 'the carrier, but an hour before',
      evidence: evidenceOf({ ending: lost(silence), host: host([lostCarrier('eth0', 3_000 * second)]) }),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'a session that the hub ended by a FIN went over a network that was there',
      evidence: evidenceOf({ ending: lost(fin), host: host([lostCarrier('eth0', 1 * second)]) }),
      verdict: 'unknown-close unknown',
    },
  ])
})

t.test('what a reading shows may be as old as readings lie apart', async t => {
  const seldom = { state: { ...state, everyMs: 120 * second } }
  const long = { state: { ...state, everyMs: 86_400 * second } }
  const before = [lostCarrier('eth0', 200 * second)]
  const longBefore = [lostCarrier('eth0', 800 * second)]
  compare(t, [
    {
      story: 'every ten seconds',
      evidence: evidenceOf({ ending: lost(silence), host: host(before) }),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'every two minutes',
      evidence: evidenceOf({ ending: lost(silence), host: host(before, seldom) }),
      verdict: 'no-network certain',
    },
    {
      story: 'once a day: what is long over is long over',
      evidence: evidenceOf({ ending: lost(silence), host: host(longBefore, long) }),
      verdict: 'link-lost-keepalive certain',
    },
  ])
})

t.test('a host that slept, or stood still', async t => {
  compare(t, [
    {
      story: 'it slept for longer than any hub waits',
      evidence: evidenceOf({
        ending: lost({ ...fin, silentMs: 600 * second }),
        host: host([slept(600 * second), lostCarrier('eth0', 0)]),
      }),
      verdict: 'device-sleep certain',
      sees: ['The device slept for 10 min 0 s, and the session was gone when it woke.'],
    },
    {
      story: 'it slept for a moment',
      evidence: evidenceOf({ ending: lost({ ...fin, silentMs: 21 * second }), host: host([slept(20 * second)]) }),
      verdict: 'device-sleep likely',
    },
    {
      story: 'the clock of suspension is grainy',
      evidence: evidenceOf({ ending: lost(fin), host: host([slept(300)]) }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'its process stood still for longer than a ping may be late',
      evidence: evidenceOf({
        ending: lost({ ...fin, silentMs: 96 * second }),
        host: host([{ what: 'loopStalled', stalledMs: 95 * second, seenMs: nowMs }]),
      }),
      verdict: 'event-loop-stall likely',
    },
    {
      story: 'a stall that the session has outlived',
      evidence: evidenceOf({
        ending: lost({ ...fin, silentMs: second }),
        host: host([{ what: 'loopStalled', stalledMs: 35 * second, seenMs: nowMs - 200 * second }]),
      }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'a sleep that the session has outlived',
      evidence: evidenceOf({ ending: lost({ ...fin, silentMs: second }), host: host([slept(100 * second)]) }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'a stall that came after the loss',
      evidence: evidenceOf({
        ending: lost({ ...fin, silentMs: 60 * second }),
        host: host([{ what: 'loopStalled', stalledMs: 35 * second, seenMs: nowMs + 600 * second }]),
      }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'a carrier that was lost after a silent session was given up',
      evidence: evidenceOf({ ending: lost(silence), host: host([lostCarrier('eth0', -25 * second)]) }),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'a second of standing still harms no session',
      evidence: evidenceOf({
        ending: lost(fin),
        host: host([{ what: 'loopStalled', stalledMs: 1_500, seenMs: nowMs }]),
      }),
      verdict: 'unknown-close unknown',
    },
  ])
})

t.test('a name that does not resolve, and a host without a way out', async t => {
  const roadless = { ...state, defaultRoutes: [] }
  compare(t, [
    { story: 'the way out is there', evidence: unresolved({ host: host([]) }), verdict: 'dns-failure possible' },
    {
      story: 'the route is there, and the cable is not',
      evidence: unresolved({
        host: host([], { state: { ...state, links: state.links.map(link => ({ ...link, carrier: false })) } }),
      }),
      verdict: 'no-network certain',
      sees: ['eth0, by which the default route leaves, has no carrier.'],
    },
    {
      story: 'the cable was pulled after the attempt',
      evidence: unresolved({
        host: host([lostCarrier('eth0', -20 * second)], {
          state: { ...state, links: state.links.map(link => ({ ...link, carrier: false })) },
        }),
      }),
      verdict: 'dns-failure possible',
    },
    {
      story: 'the default route had gone away',
      evidence: unresolved({ host: host([lostRoute(20 * second)], { state: roadless }) }),
      verdict: 'no-network certain',
      sees: ['The default route (eth0 via 192.0.2.1) went away (seen 20.0 s before it).'],
      runnersUp: ['dns-failure'],
    },
    {
      story: 'it went away after the attempt',
      evidence: unresolved({ host: host([lostRoute(-20 * second)], { state: roadless }) }),
      verdict: 'dns-failure possible',
    },
    {
      story: 'there is none, and there was one in the last good session',
      evidence: unresolved({
        host: host([], {
          state: roadless,
          lastGood: {
            endedMs: nowMs - 3_600 * second,
            differs: [{ what: 'default route', before: 'eth0 via 192.0.2.1', now: 'none' }],
          },
        }),
      }),
      verdict: 'no-network certain',
      sees: ['There is no default route; in the last good session it was eth0 via 192.0.2.1.'],
    },
    {
      story: 'there never was one: the hub is on the same link',
      evidence: unresolved({ host: host([], { state: roadless }) }),
      verdict: 'dns-failure possible',
    },
    {
      story: 'nobody has looked for a minute',
      evidence: unresolved({
        host: host([lostRoute(90 * second)], { state: { ...roadless, seenMs: nowMs - 60 * second } }),
      }),
      verdict: 'dns-failure possible',
    },
    {
      story: 'an address that does not answer is for the kernel to say',
      evidence: evidenceOf({
        failed: [timedOutAt('tcp')],
        host: host([lostRoute(20 * second)], { state: roadless }),
      }),
      verdict: 'hub-unreachable possible',
    },
  ])
})

t.test('sessions that die in their first pause, one after the other', async t => {
  const idle = (lastedMs: number, silentMs: number) => past(lastedMs, { ...silence, silentMs })
  compare(t, [
    {
      story: 'three of one length',
      evidence: evidenceOf(after(idle(91_000, 90_000), idle(92_000, 90_000), idle(90_500, 90_000))),
      verdict: 'nat-idle-timeout likely',
      sees: [
        '3 sessions in a row went silent in their first pause, after 1 min 31 s, 1 min 32 s, 1 min 31 s: what was sent after it was not answered any more.',
      ],
      runnersUp: ['link-lost-keepalive'],
    },
    {
      story: 'two are chance',
      evidence: evidenceOf(after(idle(91_000, 90_000), idle(92_000, 90_000))),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'pauses that were lived through have other ends',
      evidence: evidenceOf(after(idle(600_000, 90_000), idle(601_000, 90_000), idle(602_000, 90_000))),
      verdict: 'link-lost-keepalive certain',
    },
    {
      story: 'another end in between',
      evidence: evidenceOf(after(idle(91_000, 90_000), past(92_000, fin), idle(92_000, 90_000), idle(92_000, 90_000))),
      verdict: 'link-lost-keepalive certain',
    },
  ])
})

t.test('what befell the host and what is otherwise than before stands in every verdict', async t => {
  const { verdict } = diagnose(
    evidenceOf({
      ending: lost(fin),
      host: host(
        [
          {
            what: 'roamed',
            interface: 'wlan0',
            fromBssid: '02:00:00:00:00:01',
            toBssid: '02:00:00:00:00:02',
            seenMs: nowMs,
          },
          { what: 'pressure', of: 'io', percent: 71.4, seenMs: nowMs - 5 * second },
          { what: 'undervoltage', seenMs: nowMs + 2 * second },
          { what: 'undervoltage', seenMs: nowMs - 900 * second },
        ],
        {
          lastGood: {
            endedMs: nowMs - 60 * second,
            differs: [
              { what: 'resolvers', before: '192.0.2.1', now: '203.0.113.9' },
              { what: 'certificate issuer', before: 'CN=A', now: 'CN=B' },
            ],
          },
        },
      ),
    }),
  )
  t.strictSame(verdict.evidence.slice(-4), [
    'wlan0 moved from access point 02:00:00:00:00:01 to 02:00:00:00:00:02 (seen at that time).',
    'Tasks waited for the disk for 71 % of the time (seen 5.0 s before it).',
    'The supply voltage was too low (seen 2.0 s after it).',
    `Otherwise than in the last good session (until ${new Date(nowMs - 60 * second).toISOString()}): resolvers: 192.0.2.1 before, 203.0.113.9 now; certificate issuer: CN=A before, CN=B now.`,
  ])
})
