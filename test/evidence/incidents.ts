import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { incidents } from '../../agent/evidence/incidents.js'

const episode = (id: string, cause: string, lastedMs: number | null, conn = 'hubrec'): Episode =>
  ({ id, conn, session: lastedMs === null ? null : { lastedMs }, verdict: { cause } }) as Episode

const idsOf = (...episodes: Episode[]): string[] =>
  incidents(episodes).map(incident => incident.map(({ id }) => id).join('+'))

t.test('outages of one cause with sessions under a minute between them are one incident', async t => {
  t.strictSame(
    idsOf(episode('a', 'peer-reset', 3_600_000), episode('b', 'peer-reset', 5_000), episode('c', 'peer-reset', 59_999)),
    ['a+b+c'],
  )
})

t.test('a session of a minute, or another cause, begins a new one', async t => {
  t.strictSame(
    idsOf(episode('a', 'peer-reset', 1), episode('b', 'peer-reset', 60_000), episode('c', 'dns-failure', 1)),
    ['a', 'b', 'c'],
  )
})

t.test('connections have incidents of their own, also when their outages alternate', async t => {
  t.strictSame(
    idsOf(
      episode('a', 'peer-reset', 1),
      episode('x', 'peer-reset', 1, 'telemetry'),
      episode('b', 'peer-reset', 1),
      episode('y', 'peer-reset', 1, 'telemetry'),
    ),
    ['a+b', 'x+y'],
  )
})

t.test('planned breaks are never one incident', async t => {
  const planned = (id: string): Episode => ({ ...episode(id, 'graceful-close', 1), planned: true })
  t.strictSame(idsOf(planned('a'), planned('b')), ['a', 'b'])
})
