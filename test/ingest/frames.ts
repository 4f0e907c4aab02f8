/** Frames arrive whole, in whatever pieces they come; what is no frame is known at once. */
import fc from 'fast-check'
import t from 'tap'
import { encodeFrame, FrameReader, frameBytesMax } from '../../agent/ingest/frames.js'

t.test('what is sent arrives, however it is cut', async t => {
  const texts = fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 12 })
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
  fc.assert(
    fc.property(texts, cuts, (sent, sizes) => {
      const bytes = Buffer.concat(sent.map(text => encodeFrame(text) ?? Buffer.alloc(0)))
      const reader = new FrameReader()
      const arrived: string[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1
        for (const frame of reader.push(bytes.subarray(at, at + size)) ?? []) arrived.push(frame.toString())
        at += size
      }
      t.strictSame(arrived, sent)
    }),
    { numRuns: 200 },
  )
})

t.test('a frame may be as long as the limit, and not longer', async t => {
  const longest = 'x'.repeat(frameBytesMax)
  t.strictSame(
    new FrameReader().push(encodeFrame(longest)!)?.map(frame => frame.length),
    [frameBytesMax],
  )
  t.equal(encodeFrame(`${longest}x`), null)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(frameBytesMax + 1)
  t.equal(new FrameReader().push(head), null, 'a reader does not wait for what it would not take')
  t.equal(new FrameReader().push(Buffer.alloc(4)), null, 'nor for nothing')
})
