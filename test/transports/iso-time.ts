/** Times of certificates and tokens, as everybody else writes them. */
import fc from 'fast-check'
import t from 'tap'
import { isoTime } from '../../transports/iso-time.js'

t.test('a time is written as Date writes it', async t => {
  const ms = fc.integer({ min: Date.UTC(1950, 0, 1), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) })
  fc.assert(
    fc.property(ms, time => t.equal(isoTime(time), new Date(time).toISOString())),
    { numRuns: 300 },
  )
  t.equal(isoTime(Date.parse('Feb 29 00:00:00 2028 GMT')), '2028-02-29T00:00:00.000Z')
})
