import t from 'tap'
import { parseTime, parseWindow } from '../../agent/evidence/window.js'

/** 2026-11-22T10:00:00.000Z */
const nowMs = Date.UTC(2026, 10, 22, 10)
const iso = (text: string): string | null => {
  const ms = parseTime(text, nowMs)
  return ms === null ? null : new Date(ms).toISOString()
}

t.test('a time is RFC 3339, unix seconds, or how long ago', async t => {
  const times = {
    '2026-11-22T10:00:00Z': '2026-11-22T10:00:00.000Z',
    '2026-11-22t10:00:00z': '2026-11-22T10:00:00.000Z',
    '2026-11-22 10:00:00Z': '2026-11-22T10:00:00.000Z',
    '2026-11-22T10:00:00.123456789Z': '2026-11-22T10:00:00.123Z',
    '2026-11-22T12:30:00+02:30': '2026-11-22T10:00:00.000Z',
    '2026-11-22T05:00:00-05:00': '2026-11-22T10:00:00.000Z',
    '2016-12-31T23:59:60Z': '2017-01-01T00:00:00.000Z',
    '2028-02-29T00:00:00Z': '2028-02-29T00:00:00.000Z',
    '0099-01-01T00:00:00Z': '0099-01-01T00:00:00.000Z',
    '0': '1970-01-01T00:00:00.000Z',
    '1795341600': '2026-11-22T10:00:00.000Z',
    '1795341600.5': '2026-11-22T10:00:00.500Z',
    '15m': '2026-11-22T09:45:00.000Z',
    '2h': '2026-11-22T08:00:00.000Z',
    '3d': '2026-11-19T10:00:00.000Z',
    '90s': '2026-11-22T09:58:30.000Z',
    '1w': '2026-11-15T10:00:00.000Z',
    '1d12h': '2026-11-20T22:00:00.000Z',
    '2 days 3 hours 2 minutes': '2026-11-20T06:58:00.000Z',
    ' 1H ': '2026-11-22T09:00:00.000Z',
  }
  for (const [text, expected] of Object.entries(times)) t.equal(iso(text), expected, text)
})

t.test('anything else is none', async t => {
  const bad = [
    '',
    ' ',
    'now',
    'yesterday',
    '-1h',
    '1.5h',
    'h',
    '1y',
    '1h30',
    '15m ago',
    '2026-11-22',
    '2026-11-22T10:00:00',
    '2026-11-22T10:00Z',
    '2026-02-30T00:00:00Z',
    '2027-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T10:60:00Z',
    '2026-11-22T10:00:00+24:00',
    '0000-01-01T00:00:00Z',
    '1795341600000',
    '-5',
    '1e9',
    '0x10',
    'NaN',
    '99999999999999999999d',
    '999999999w',
    '1'.repeat(100),
    '1h'.repeat(40),
  ]
  for (const text of bad) t.equal(iso(text), null, JSON.stringify(text.slice(0, 40)))
})

t.test('a window says all that is wrong with it, and leaves a side open that is not given', async t => {
  t.strictSame(parseWindow({}, nowMs), { window: {} })
  t.strictSame(parseWindow({ since: '1h' }, nowMs), { window: { since: nowMs - 3_600_000 } })
  t.strictSame(parseWindow({ since: '2h', until: '1h' }, nowMs), {
    window: { since: nowMs - 7_200_000, until: nowMs - 3_600_000 },
  })
  t.match(parseWindow({ since: 'x', until: 'y' }, nowMs), { problems: [/^since: expected/, /^until: expected/] })
  t.strictSame(parseWindow({ since: '1h', until: '2h' }, nowMs), { problems: ['since: expected a time before until'] })
})
