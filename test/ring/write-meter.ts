import t from 'tap'
import { WriteMeter } from '../../agent/ring/write-meter.js'

const hourMs = 3_600_000

t.test('what was written counts for a day, hour by hour', async t => {
  let nowMs = 5 * hourMs + 1
  const meter = new WriteMeter(() => nowMs)
  const after = (hours: number): number => {
    nowMs += hours * hourMs
    return meter.dayBytes
  }
  meter.add(100)
  meter.add(20)
  t.equal(meter.dayBytes, 120)
  t.equal(after(10), 120)
  meter.add(1)
  t.equal(after(13), 121, 'in the 24th hour it is still there')
  t.equal(after(1), 1)
  t.equal(after(9), 1)
  t.equal(after(1), 0)
  meter.add(7)
  t.equal(after(1_000), 0, 'however long nobody asked')
})
