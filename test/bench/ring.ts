/** The bench of the ring: that its records are the same for everybody and like real ones, and that its verdicts are right. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { type Entry, recordStream } from '../../bench/ring/stream.js'
import { compare } from '../../bench/ring/verdict.js'

const run = promisify(execFile)

t.test('the stream is the same for the same seed, and another for another', async t => {
  const [first, again, other] = [7, 7, 8].map(seed =>
    recordStream(seed)
      .take(5_000)
      .map(entry => JSON.stringify(entry)),
  )
  t.strictSame(first, again)
  t.equal(first!.filter(json => other!.includes(json)).length, 0, 'no record twice')
})

t.test('a record is about 250 bytes of JSON, and time never goes back', async t => {
  const entries = recordStream(1).take(50_000)
  const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(JSON.stringify(entry)), 0) / entries.length
  t.ok(bytes > 225 && bytes < 275, `${bytes} bytes`)
  const backward = entries.filter((entry, index) => index > 0 && entry.at < entries[index - 1]!.at)
  t.strictSame(backward, [])
})

t.test(
  'its connections live by the rule of the wire: what is connecting is accepted or closed, what is accepted is closed',
  async t => {
    const stories = new Map<string, string>()
    for (const { type, conn, inc, data } of recordStream(3).take(100_000)) {
      if (type !== 'wire' || !isTurn(data.type)) continue
      const attempt = `${conn} ${inc}`
      stories.set(attempt, [stories.get(attempt), data.type].filter(Boolean).join(', '))
    }
    const ended = ['connecting, closed', 'connecting, accepted, closed']
    const unlike = [...stories.values()].filter(story => !ended.includes(story))
    const running = new Set(['connecting', 'connecting, accepted'])
    t.strictSame(
      unlike.filter(story => !running.has(story)),
      [],
    )
    t.ok(stories.size > 100 && unlike.length <= 8, `${stories.size} attempts, ${unlike.length} of them still running`)
  },
)

const isTurn = (type: unknown): type is string =>
  typeof type === 'string' && ['connecting', 'accepted', 'refused', 'closed'].includes(type)

t.test('all kinds of record are in it', async t => {
  const kinds = new Set(
    recordStream(1)
      .take(50_000)
      .map(({ type }: Entry) => type),
  )
  t.strictSame([...kinds].sort(), ['episode', 'log', 'sample', 'session', 'wire'])
})

t.test('a bar says by how much it is met or not', async t => {
  const said = (ratio: number, bar?: { atLeast: number } | { atMost: number }) => {
    const { met, margin } = compare(ratio, 'pino-async', bar && { peer: 'pino-async', ...bar })
    return [met, margin === null ? null : Math.round(margin * 100)]
  }
  t.strictSame(said(3, { atLeast: 2.5 }), [true, 20])
  t.strictSame(said(2, { atLeast: 2.5 }), [false, -20])
  t.strictSame(said(0.3, { atMost: 0.4 }), [true, 25])
  t.strictSame(said(0.5, { atMost: 0.4 }), [false, -25])
  t.strictSame(said(1, { atMost: 1 }), [true, 0])
  t.strictSame(said(2), [null, null])
})

t.test('it runs, and says what it found, where no peer is installed', async t => {
  const args = ['throughput', '--only', 'write-sync', '--records', '2000', '--burst', '500', '--rounds', '3', '--json']
  const { stdout } = await run(process.execPath, ['dist/bench/ring/main.js', ...args])
  const { settings, measures } = JSON.parse(stdout)
  t.strictSame(settings, { rounds: 3, records: 2_000, burst: 500, long: false })
  const [{ name, rows, absent }] = measures
  t.strictSame([measures.length, name, absent], [1, 'throughput', []])
  for (const { figure, medians, compared } of rows) {
    t.strictSame(Object.keys(medians), ['ring', 'write-sync'], figure)
    t.equal(medians.ring.rounds.length, 3)
    const { median } = medians.ring
    t.equal([...medians.ring.rounds].sort((a: number, b: number) => a - b)[1], median)
    t.match(compared, [{ peer: 'write-sync', ratio: median / medians['write-sync'].median, met: null }])
  }
})
