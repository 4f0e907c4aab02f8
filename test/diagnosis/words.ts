import t from 'tap'
import { addressesOf, certificateText, count, duration, errorText, moment } from '../../agent/diagnosis/words.js'
import { dualStack, failedAt, systemError } from '../support/evidence.js'

t.test('a duration reads in the two units that matter', async t => {
  const read: [number, string][] = [
    [0, '0 ms'],
    [250.4, '250 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [12_340, '12.3 s'],
    [59_949, '59.9 s'],
    [59_951, '1 min 0 s'],
    [250_000, '4 min 10 s'],
    [3_599_600, '1 h 0 min'],
    [11_520_000, '3 h 12 min'],
    [187_200_000, '2 d 4 h'],
    [Number.NaN, 'an unknown time'],
    [Number.POSITIVE_INFINITY, 'an unknown time'],
  ]
  t.strictSame(
    read.map(([ms]) => duration(ms)),
    read.map(([, text]) => text),
  )
})

t.test('an error is told once for each address, on one line and cut', async t => {
  t.equal(errorText(null), 'no error was reported')
  t.equal(
    errorText(
      dualStack(
        systemError('ECONNREFUSED', 'connect', '[::1]:8883'),
        systemError('ECONNREFUSED', 'connect', '[::1]:8883'),
      ),
    ),
    'connect ECONNREFUSED [::1]:8883',
  )
  t.equal(errorText({ name: 'Error', message: 'two\nlines\n', code: 'EPROTO' }), 'EPROTO: two lines')
  t.equal(errorText({ name: 'TypeError', message: '' }), 'TypeError')
  t.equal(
    errorText({ name: 'Error', message: 'wrapped', from: { name: 'Error', message: 'inner', code: 'X' } }),
    'X: inner',
  )
  t.equal(errorText({ name: 'Error', message: 'a'.repeat(300) }).length, 203)
})

t.test('an address is the one that failed, else the one that was found, else the name', async t => {
  const attempt = failedAt('tcp')
  t.equal(addressesOf(attempt, systemError('ECONNREFUSED', 'connect', '10.0.0.1:8883')), '10.0.0.1:8883')
  t.equal(addressesOf({ ...attempt, addresses: ['::1', '127.0.0.1'] }, null), '[::1]:8883, 127.0.0.1:8883')
  t.equal(addressesOf({ ...attempt, addresses: [] }, null), 'my-hub.azure-devices.net:8883')
})

t.test('what is not known is said to be unknown', async t => {
  t.equal(certificateText(null), 'The certificate that was shown is not known.')
  t.equal(moment(Number.NaN), 'an impossible time')
  t.equal(moment(0), '1970-01-01T00:00:00.000Z')
})

t.test('one is not many', async t => {
  t.strictSame([count(0, 'byte'), count(1, 'byte'), count(2, 'byte')], ['0 bytes', '1 byte', '2 bytes'])
})
