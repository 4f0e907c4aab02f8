/** What waits for a daemon: bounded, whole attempts, and what is missing is counted in its place. */
import fc from 'fast-check'
import t from 'tap'
import { Backlog } from '../../agent/ingest/backlog.js'
import type { Numbered } from '../../agent/ingest/messages.js'
import { breaches } from '../support/pairing.js'
import { accepted, closed, connecting, pingSent } from '../support/wire-story.js'

const drain = (backlog: Backlog): Numbered[] => {
  const found: Numbered[] = []
  for (let json = backlog.next(); json !== null; json = backlog.next()) found.push(JSON.parse(json))
  return found
}

const short = (message: Numbered): string =>
  message.type === 'lost'
    ? `${message.n} lost ${message.count}`
    : `${message.n} ${message.event.type} ${message.event.attempt}`

t.test('when it is full an attempt goes as a whole, and its number stands where it would have been', async t => {
  const backlog = new Backlog({ messages: 3, bytes: 1e6 })
  backlog.add(1, 1, connecting(1, 1))
  backlog.add(1, 1, accepted(1, 2))
  backlog.add(1, 1, pingSent(1, 3))
  backlog.add(1, 1, pingSent(1, 4))
  backlog.add(1, 1, closed(1, 5, 3))
  backlog.add(1, 1, connecting(2, 6))
  backlog.add(1, 1, closed(2, 7, null))
  t.strictSame(drain(backlog).map(short), [
    '1 connecting 1',
    '2 accepted 1',
    '3 pingSent 1',
    '4 lost 1',
    '5 closed 1',
    '6 lost 2',
  ])
  t.equal(backlog.lostUntold, 3)
  backlog.acknowledge(6)
  backlog.add(1, 1, connecting(3, 8))
  t.strictSame(drain(backlog).map(short), ['7 connecting 3'])
  t.equal(backlog.lostUntold, 0)
})

t.test('a new daemon is told what goes on, and then everything that the old one had not taken', async t => {
  const backlog = new Backlog()
  for (const event of [connecting(1, 1), accepted(1, 2), pingSent(1, 3), closed(1, 4, 2), connecting(2, 5)]) {
    backlog.add(1, 7, event)
  }
  drain(backlog)
  backlog.acknowledge(3)
  t.strictSame(backlog.rewind(), [{ type: 'open', lane: 1, inc: 7, events: [connecting(1, 1), accepted(1, 2)] }])
  t.strictSame(drain(backlog).map(short), ['4 closed 1', '5 connecting 2'])
  backlog.acknowledge(5)
  t.strictSame(backlog.rewind(), [{ type: 'open', lane: 1, inc: 7, events: [connecting(2, 5)] }])
})

t.test('whatever is dropped, what arrives pairs, and together with the losses it is everything', async t => {
  const step = fc.constantFrom('tell', 'tell', 'tell', 'tell', 'drain', 'acknowledge', 'reconnect')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 6 }), (steps, room) => {
      const backlog = new Backlog({ messages: room, bytes: 1e6 })
      const arrived = new Map<number, Numbered>()
      let told = 0
      let story: 'none' | 'attempt' | 'session' = 'none'
      let attempt = 0
      const tell = (): void => {
        told += 1
        if (story === 'none') {
          attempt += 1
          backlog.add(1, 1, connecting(attempt, told))
          story = 'attempt'
        } else if (story === 'attempt') {
          backlog.add(1, 1, accepted(attempt, told))
          story = 'session'
        } else {
          backlog.add(1, 1, closed(attempt, told, 1))
          story = 'none'
        }
      }
      const take = (): void => {
        for (const message of drain(backlog)) arrived.set(message.n, arrived.get(message.n) ?? message)
      }
      for (const action of steps) {
        if (action === 'tell') tell()
        else if (action === 'drain') take()
        else if (action === 'acknowledge') backlog.acknowledge(Math.max(0, ...arrived.keys()))
        else backlog.rewind()
      }
      take()
      const messages = [...arrived.values()].sort((a, b) => a.n - b.n)
      const events = messages.flatMap(message => (message.type === 'event' ? [message.event] : []))
      const lost = messages.reduce((sum, message) => sum + (message.type === 'lost' ? message.count : 0), 0)
      t.strictSame(breaches(events, false), [])
      t.equal(events.length + lost, told)
    }),
    { numRuns: 300 },
  )
})
