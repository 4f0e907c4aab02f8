/** How often a device failed, without what was planned. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Io } from '../../agent/cli/command.js'
import { episodes, summary } from '../../agent/cli/episodes.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { recordRing } from '../support/recorded-ring.js'

const episode = (cause: string, durationMs: number | null, planned = false): Episode =>
  ({ planned, durationMs, state: durationMs === null ? 'open' : 'closed', verdict: { cause } }) as Episode

t.test('where there is none, people are told so in words, and scripts get nothing', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'episodes-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  await recordRing(join(dir, 'ring'), [])
  const ask = async (json: boolean) => {
    const printed: string[] = []
    const io = { env: {}, print: (line: string) => void printed.push(line) } as unknown as Io
    return { code: await episodes.run({ 'state-dir': dir, json }, [], io), printed }
  }
  t.strictSame(await ask(false), { code: 0, printed: ['no episodes'] })
  t.strictSame(await ask(true), { code: 0, printed: [] })
})

t.test('planned breaks and upgrades of the service are no faults', async t => {
  const renewal = episode('sas-renewal-expected', 900, true)
  const upgrade = episode('hub-upgrade-or-failover', 2_000)
  const dns = episode('dns-failure', 90_000)
  t.strictSame(summary([]), [])
  t.strictSame(summary([dns]), [], 'one speaks for itself')
  t.strictSame(summary([dns, dns]), ['2 faults, 3 min 0 s without a connection'])
  t.strictSame(summary([renewal, dns, upgrade]), [
    "1 fault, 1 min 30 s without a connection; 2 breaks that were planned, or the service's own",
  ])
  t.strictSame(summary([renewal, renewal]), [
    "0 faults, 0 ms without a connection; 2 breaks that were planned, or the service's own",
  ])
  t.strictSame(summary([dns, episode('peer-reset', null), renewal]), [
    "2 faults, 1 min 30 s without a connection so far; 1 break that was planned, or the service's own",
  ])
})
