import { join } from 'node:path'
import t from 'tap'
import { readEpisodes, readRecords } from '../../agent/evidence/read.js'
import { reportData } from '../../agent/report/data.js'
import { reportJson } from '../../agent/report/json.js'
import type { Report, ReportHead } from '../../agent/report/report.js'
import { episodeOf, type Line, recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'

const at = (seconds: number): string => new Date(storyStartMs + seconds * 1e3).toISOString()

const head: ReportHead = {
  device: 'gate/recorder',
  createdAt: at(100),
  requestedBy: 'a test',
  why: 'to look inside',
  window: { from: at(0), to: at(100) },
  versions: { hubrec: '1', sdk: { device: '1', mqtt: '2', amqp: '3', mqttClient: '4' }, node: '20', os: 'Linux' },
}

const textOf = async (dir: string): Promise<string> => {
  async function* episodes() {
    yield* await readEpisodes(dir)
  }
  const pieces = reportData({
    head,
    episodes,
    episodesGone: () => 0,
    records: () => readRecords(dir),
    redacted: value => value,
  })
  return (await collect(reportJson(pieces))).join('')
}

t.test('a report is one JSON object with all that a page shows', async t => {
  const dir = join(t.testdir(), 'ring')
  const renewal = { ...episodeOf('e0', 0).verdict, cause: 'sas-renewal-expected', title: 'A renewal' }
  const strange = { ...episodeOf('e0', 0).verdict, cause: 'of-a-newer-release' }
  const more: Line[] = [
    { atS: 41, type: 'episode', data: episodeOf('e2', 41, { planned: true, verdict: renewal, durationMs: 300 }) },
    { atS: 50, type: 'episode', data: episodeOf('e3', 50, { durationMs: 9_000 }) },
    { atS: 51, type: 'wire', data: { type: 'pongReceived', rttMs: 21 } },
    { atS: 52, type: 'gap', conn: null, data: { reason: 'queue', count: 3, fromSeq: null, toSeq: null } },
    {
      atS: 90,
      type: 'episode',
      data: episodeOf('e4', 90, { state: 'open', endedAt: null, durationMs: null, verdict: strange }),
    },
  ]
  const sample = {
    tcp: { rttMs: 14.5, retransmitted: 2 },
    interfaces: { byName: { wlan0: { wireless: { signalDbm: -61 } }, eth0: { wireless: null } } },
    memory: { availableBytes: 1_000, own: { rssBytes: 50 } },
    temperature: { zones: [{ zone: 'thermal_zone0', type: 'cpu-thermal', celsius: 48.2 }] },
    disk: { freeBytes: 7_000 },
  }
  await recordRing(dir, [...story, ...more, { atS: 95, type: 'sample', level: 20, conn: null, data: sample }])
  const text = await textOf(dir)
  const report = JSON.parse(text) as Report
  t.strictSame(Object.keys(report), ['format', 'head', 'episodes', 'timeline', 'series', 'points', 'summary'])
  t.equal(report.format, 'hubrec-report/1')
  t.strictSame(report.head, head)
  t.strictSame(report.episodes, await readEpisodes(dir), 'episodes are what `episodes --json` prints')
  t.strictSame(
    report.timeline.map(({ kind }) => kind),
    ['start', 'attempt', 'event', 'gap'],
    'the attempt that was accepted, the error in the outage, and what is missing',
  )
  t.strictSame(
    report.series.map(({ name, unit, count, last }) => [name, unit, count, last]),
    [
      ['rtt.ping', 'ms', 1, 21],
      ['rtt.tcp', 'ms', 1, 14.5],
      ['signal.wlan0', 'dBm', 1, -61],
      ['retransmits.tcp', 'segments', 1, 2],
      ['memory.available', 'bytes', 1, 1_000],
      ['memory.own', 'bytes', 1, 50],
      ['temperature.thermal_zone0', '°C', 1, 48.2],
      ['disk.free', 'bytes', 1, 7_000],
    ],
  )
  t.strictSame(report.points[1], { series: 'rtt.tcp', timesMs: [storyStartMs + 95e3], values: [14.5] })
  const { causes, totals, covered } = report.summary
  t.strictSame(covered, { from: at(0), to: at(95) })
  t.strictSame(
    causes.map(({ cause, family, isFault, count, open, awayMs, longestMs, newestId }) => [
      [cause, family, isFault],
      [count, open, awayMs, longestMs, newestId],
    ]),
    [
      [
        ['peer-reset', 'network', true],
        [2, 0, 14_000, 9_000, 'e3'],
      ],
      [
        ['of-a-newer-release', 'unknown', true],
        [1, 1, 10_000, 10_000, 'e4'],
      ],
      [
        ['sas-renewal-expected', 'credential', false],
        [1, 0, 300, 300, 'e2'],
      ],
    ],
  )
  t.strictSame(totals, {
    episodes: 4,
    faults: 3,
    planned: 1,
    awayMs: 24_000,
    sessions: 0,
    gaps: 1,
    recordsMissing: 3,
    episodesGone: 0,
    seriesLeftOut: 0,
  })
})

t.test('a report of nothing is a report', async t => {
  const dir = join(t.testdir(), 'ring')
  await recordRing(dir, [])
  const { episodes, timeline, series, points, summary } = JSON.parse(await textOf(dir)) as Report
  t.strictSame([episodes, timeline, series, points, summary.causes], [[], [], [], [], []])
})

t.test('however many series a host has, only so many are plotted, and it says so', async t => {
  const dir = join(t.testdir(), 'ring')
  const zones = Array.from({ length: 40 }, (_, n) => ({ zone: `thermal_zone${n}`, type: 'x', celsius: n }))
  await recordRing(dir, [{ atS: 1, type: 'sample', conn: null, data: { temperature: { zones } } }])
  const { series, summary } = JSON.parse(await textOf(dir)) as Report
  t.equal(series.length, 16)
  t.equal(summary.totals.seriesLeftOut, 24)
})
