/** Whatever an application tells, what is taken of it pairs. */
import fc from 'fast-check'
import t from 'tap'
import { admit, emptyLane, type Lane, leftOpen } from '../../agent/ingest/lane.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { breaches } from '../support/pairing.js'
import { accepted, closed, connecting, pingSent } from '../support/wire-story.js'

const take = (events: readonly WireEvent[]): { lane: Lane; taken: WireEvent[]; refused: number } => {
  let lane = emptyLane
  let refused = 0
  const taken: WireEvent[] = []
  for (const event of events) {
    const admitted = admit(lane, event)
    if (admitted) {
      lane = admitted.lane
      taken.push(...admitted.events)
    } else refused += 1
  }
  return { lane, taken, refused }
}

t.test('an attempt that was left open is closed before the next one begins', async t => {
  const { taken } = take([connecting(1, 10), accepted(1, 20), connecting(2, 500)])
  t.match(taken, [
    { type: 'connecting' },
    { type: 'accepted' },
    { type: 'closed', attempt: 1, by: 'unknown', stage: 'session', lastedMs: 480, monoMs: 500 },
    { type: 'connecting', attempt: 2 },
  ])
})

t.test('a story that cannot be is not taken', async t => {
  const { taken, refused } = take([
    accepted(1, 1),
    connecting(1, 2),
    pingSent(1, 3),
    closed(1, 4, 3),
    closed(1, 5, null),
    closed(1, 6, null),
    connecting(1, 7),
    connecting(2, 3),
  ])
  t.strictSame(
    taken.map(({ type }) => type),
    ['connecting', 'closed'],
  )
  t.equal(refused, 6)
})

t.test('of any words in any order, what is taken pairs, and what is left open can be closed', async t => {
  const attempt = fc.integer({ min: 1, max: 4 })
  const monoMs = fc.integer({ min: 0, max: 50 })
  const word = fc.constantFrom<WireEvent['type']>(
    'connecting',
    'resolved',
    'accepted',
    'refused',
    'closed',
    'pingSent',
    'pongReceived',
    'subscribed',
    'renewalStarted',
    'renewalDone',
    'sdkError',
    'retryScheduled',
    'provisioningStarted',
  )
  const event = fc
    .tuple(word, attempt, monoMs, fc.boolean())
    .map(
      ([type, attempt, monoMs, wasSession]) =>
        ({ ...closed(attempt, monoMs, wasSession ? 1 : null), type, id: 'r' }) as unknown as WireEvent,
    )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), events => {
      const { lane, taken } = take(events)
      t.strictSame(breaches(taken, false), [])
      const end = leftOpen(lane, 100, { by: 'application', how: 'error', reason: null, error: null })
      t.strictSame(breaches(end ? [...taken, end] : taken), [])
    }),
    { numRuns: 500 },
  )
})
