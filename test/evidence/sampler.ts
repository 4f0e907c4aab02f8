/** Sampling goes on, whatever a single reading does. */
import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { runSampler, type Sample, type SamplerOptions } from '../../agent/evidence/sampler.js'
import type { Reading } from '../../agent/evidence/samples/reading.js'
import { readings } from '../../agent/evidence/samples/readings.js'
import { systemClock } from '../../transports/clock.js'

const reading = (name: string, read: Reading['read']): Reading => ({ name, read })

/** Runs until so many samples came, and returns them. */
async function sample(count: number, options: Partial<SamplerOptions> & { stateDir: string }): Promise<Sample[]> {
  const stop = new AbortController()
  const samples: Sample[] = []
  await runSampler({
    intervalMs: 20,
    clock: systemClock(),
    record: data => {
      if (samples.push(data) === count) stop.abort()
    },
    signal: stop.signal,
    ...options,
  })
  return samples
}

t.test('a sample of this machine has every reading and no failure', async t => {
  const [first] = await sample(1, { stateDir: t.testdir() })
  t.strictSame(
    Object.keys(first!),
    readings.map(({ name }) => name),
  )
})

t.test('samples follow each other until the signal, the first one at once', async t => {
  const startedMs = performance.now()
  const one = reading('one', async () => ({ at: performance.now() - startedMs }))
  const samples = await sample(3, { stateDir: t.testdir(), readings: [one], intervalMs: 50 })
  const [first, second, third] = samples.map(({ one }) => (one as { at: number }).at) as [number, number, number]
  t.equal(samples.length, 3)
  t.ok(first < second && second - first > 20 && third - second > 20, `${first}, ${second}, ${third}`)
})

t.test('a reading that fails is named with its reason, and the others are there', async t => {
  const broken = [
    reading('throws', () => {
      throw new Error('at once')
    }),
    reading('rejects', async () => {
      throw new TypeError('later')
    }),
    reading('absent', async () => null),
    reading('fine', async () => ({ value: 1 })),
  ]
  const expected = {
    absent: null,
    fine: { value: 1 },
    failed: { throws: 'Error: at once', rejects: 'TypeError: later' },
  }
  t.strictSame(await sample(2, { stateDir: t.testdir(), readings: broken }), [expected, expected])
})

t.test('a reading that hangs is asked once, and again only after it has ended', async t => {
  const ended = new EventEmitter()
  let asked = 0
  const slow = reading('slow', async () => {
    asked += 1
    if (asked === 1) await once(ended, 'now')
    return { asked }
  })
  const seen: Sample[] = []
  const stop = new AbortController()
  await runSampler({
    intervalMs: 10,
    readingLimitMs: 30,
    stateDir: t.testdir(),
    clock: systemClock(),
    readings: [slow, reading('fine', async () => ({}))],
    signal: stop.signal,
    record: data => {
      seen.push(data)
      if (seen.length === 3) ended.emit('now')
      if ('slow' in data) stop.abort()
    },
  })
  const hangs = { fine: {}, failed: { slow: 'an earlier one still hangs' } }
  t.strictSame(seen, [
    { fine: {}, failed: { slow: 'no answer within 30 ms' } },
    hangs,
    hangs,
    { slow: { asked: 2 }, fine: {} },
  ])
})

t.test('a sample that is slower than the interval delays the next one and does not pile up', async t => {
  let running = 0
  let most = 0
  const slow = reading('slow', async () => {
    most = Math.max(most, ++running)
    await new Promise(resolve => setTimeout(resolve, 25))
    running -= 1
    return {}
  })
  await sample(4, { stateDir: t.testdir(), readings: [slow], intervalMs: 5 })
  t.equal(most, 1)
})

t.test('the signal ends the sampling in the middle of a hanging sample, which is not recorded', async t => {
  const stop = new AbortController()
  const hanging = reading('hanging', () => {
    setImmediate(() => stop.abort())
    return new Promise(() => {})
  })
  const options = { intervalMs: 10, readingLimitMs: 60_000, stateDir: t.testdir(), clock: systemClock() }
  await runSampler({ ...options, readings: [hanging], signal: stop.signal, record: () => t.fail('nothing to record') })
  await runSampler({ ...options, signal: AbortSignal.abort(), record: () => t.fail('it never began') })
})

t.test('whoever records may fail, and the sampling ends with that failure', async t => {
  const record = () => {
    throw new Error('no more room')
  }
  const options = { intervalMs: 10, stateDir: t.testdir(), clock: systemClock(), signal: new AbortController().signal }
  await t.rejects(runSampler({ ...options, record, readings: [] }), { message: 'no more room' })
})

t.test('a sample that is wanted comes before its time, and the next one at its own', async t => {
  const moments = new EventEmitter()
  const one = reading('one', async () => ({ askedMs: performance.now() }))
  const stop = new AbortController()
  const askedMs: number[] = []
  await runSampler({
    intervalMs: 3_600_000,
    clock: systemClock(),
    stateDir: t.testdir(),
    readings: [one],
    signal: stop.signal,
    wanted: signal => once(moments, 'lost', { signal }),
    record: ({ one }) => {
      askedMs.push((one as { askedMs: number }).askedMs)
      if (askedMs.length === 3) stop.abort()
      // Also what is wanted while the last one is still fresh.
      else setImmediate(() => moments.emit('lost'))
    },
  })
  const [first, second, third] = askedMs as [number, number, number]
  t.ok(second - first >= 999 && third - second >= 999, 'a second lies between two, whatever is wanted')
  t.equal(moments.listenerCount('lost'), 0)
})
