import t from 'tap'
import { Queue, type QueuedRecord } from '../../agent/ring/queue.js'

const record = (bytes: number, answers?: number[]): QueuedRecord => ({
  kind: 'record',
  json: '{}',
  bytes,
  durability: 'kernel',
  answer: answers ? seq => answers.push(seq) : null,
})

/** `10` for a record of 10 bytes, `queue 3` for a gap. */
const brief = (queue: Queue): (string | number)[] =>
  queue.entries.map(entry => (entry.kind === 'record' ? entry.bytes : `${entry.loss.reason} ${entry.loss.count}`))

const limit = (records: number, bytes = 1_000) => ({ records, bytes })

t.test('what is refused is counted where it would have stood', async t => {
  const queue = new Queue()
  queue.add(record(1))
  queue.refuse('queue')
  queue.refuse('queue')
  queue.add(record(2))
  queue.refuse('queue')
  t.strictSame(brief(queue), [1, 'queue 2', 2, 'queue 1'])
  t.equal(queue.lostUnsaid, 3)
})

t.test('shrinking drops the oldest and leaves one gap for each reason in their place', async t => {
  const queue = new Queue()
  queue.refuse('queue')
  for (const bytes of [1, 2]) queue.add(record(bytes))
  queue.refuse('queue')
  for (const bytes of [3, 4, 5]) queue.add(record(bytes))
  queue.shrink(limit(2), 'diskFull')
  t.strictSame(brief(queue), ['queue 2', 'diskFull 3', 4, 5])
  queue.add(record(6))
  queue.shrink(limit(2), 'diskFull')
  t.strictSame(brief(queue), ['queue 2', 'diskFull 4', 5, 6])
  queue.shrink(limit(2, 6), 'readOnly')
  t.strictSame(brief(queue), ['queue 2', 'diskFull 4', 'readOnly 1', 6])
  t.equal(queue.lostUnsaid, 7)
  queue.shrink(limit(2), 'ioError')
  t.strictSame(brief(queue), ['queue 2', 'diskFull 4', 'readOnly 1', 6], 'nothing to do')
})

t.test('losses that had numbers are never merged, and told once', async t => {
  const queue = new Queue()
  queue.add(record(1))
  const losses = [
    { reason: 'damage' as const, count: 5, fromSeq: 1, toSeq: 5 },
    { reason: 'damage' as const, count: 2, fromSeq: 8, toSeq: 9 },
  ]
  queue.prepend(losses)
  queue.prepend(losses)
  queue.shrink(limit(0), 'diskFull')
  t.strictSame(brief(queue), ['damage 5', 'damage 2', 'diskFull 1'])
  t.equal(queue.lostUnsaid, 8)
})

t.test('what is on its way to the disk counts until it is settled', async t => {
  const queue = new Queue()
  for (const bytes of [10, 20]) queue.add(record(bytes))
  queue.refuse('queue')
  const [first, ...others] = queue.entries
  queue.take(3)
  t.strictSame(brief(queue), [])
  t.equal(queue.hasRoom(1, limit(2)), false)
  t.equal(queue.hasRoom(1, limit(3)), true)
  t.equal(queue.hasRoom(1, limit(3, 30)), false)
  queue.settle(first!)
  queue.putBack(others)
  t.strictSame(
    { entries: brief(queue), bytes: queue.bytes, lost: queue.lostUnsaid },
    { entries: [20, 'queue 1'], bytes: 20, lost: 1 },
  )
  for (const entry of others) queue.settle(entry)
  t.strictSame({ bytes: queue.bytes, lost: queue.lostUnsaid }, { bytes: 0, lost: 0 })
})

t.test('everybody who waits is told once', async t => {
  const queue = new Queue()
  const answers: number[] = []
  for (const bytes of [1, 2]) queue.add(record(bytes, answers))
  queue.refuse('queue')
  queue.answerAll()
  queue.answerAll()
  t.strictSame(answers, [0, 0])
})
