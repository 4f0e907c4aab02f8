/** What was recorded before the wire had words for links, proxies and credentials, judged by what there is now. */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { parseRecord } from '../../agent/evidence/read.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { sentence } from '../../agent/evidence/sentence.js'
import { nothingSeen } from '../../agent/evidence/surroundings.js'
import { begin, type Effect, step } from '../../agent/evidence/tracker.js'
import type { WireEvent } from '../../transports/wire-event.js'

/** Written by the release with MQTT alone: its wire events, its sessions and the last version of each episode. */
const records = gunzipSync(readFileSync('test/fixtures/verdicts-1.ndjson.gz'))
  .toString()
  .trim()
  .split('\n')
  .map(line => parseRecord(line))
  .filter((record): record is LogRecord => record !== null)

const told = ({ startedAt, planned, attempts, durationMs, verdict }: Episode) => ({
  startedAt,
  planned,
  attempts,
  durationMs,
  cause: verdict.cause,
  confidence: verdict.confidence,
  // Two were "all 2" then, and nobody said which roots a cloud has.
  evidence: verdict.evidence
    .filter(each => !/^Hubs of the public cloud chain to/.test(each))
    .map(each => each.replace(/^All 2 /, 'Both ')),
  runnersUp: verdict.runnersUp.map(({ cause, confidence }) => `${cause} ${confidence}`),
})

/** The same wire once more, an episode for each that has ended. */
function replay(): Episode[] {
  const instantOf = ({ at, monoMs }: LogRecord) => ({ wallMs: Date.parse(at), monoMs, bootMs: monoMs })
  const first = records[0]
  if (first === undefined) return []
  const now = instantOf(first)
  const remembered = { conn: 'hubrec', protocol: 'mqtt', credential: 'f00dface', credentialWorked: false } as const
  const before = { ending: { kind: 'start' }, at: now, session: null, open: null } as const
  let { tracker } = begin({ ...remembered, history: [], before }, now, () => 'e')
  return records
    .filter(({ type }) => type === 'wire')
    .flatMap(record => {
      const next = step(tracker, record.data as unknown as WireEvent, instantOf(record), () => 'e')
      tracker = next.tracker
      return next.effects.flatMap(effect => judged(effect, Date.parse(record.at)))
    })
}

function judged(effect: Effect, wallMs: number): Episode[] {
  if (effect.do !== 'recordEpisode' || effect.facts.state === 'open') return []
  const clock = { wallMs, plausible: true, synchronised: true }
  return [{ ...effect.facts, ...diagnose({ ...effect.evidence, clock, host: nothingSeen, probes: [] }) }]
}

t.test('each outage of an older release gets the verdict that it got then', async t => {
  const then = records.filter(({ type }) => type === 'episode').map(({ data }) => data as unknown as Episode)
  t.equal(then.length, 50)
  t.ok(new Set(then.map(({ verdict }) => verdict.cause)).size > 20)
  // That release was certain of a DNS server that it had not heard, and of a hub behind one silent port: the road, or a firewall,
  // may have been to blame.
  const unheard =
    /^(?:No DNS server answered|Nothing answered at|Resolving \S+ failed: .*(?:EAI_AGAIN|ETIMEOUT)|The certificate of the server was refused: certificate has expired)/
  const surer = then
    .map(told)
    .map(each => (unheard.test(each.evidence[0] ?? '') ? { ...each, confidence: 'possible' } : each))
  t.strictSame(replay().map(told), surer)
})

t.test('each record of an older release is still told in words', async t => {
  const poor = records.map(sentence).filter(line => /undefined|null|NaN|\bunknown time/.test(line))
  t.strictSame(poor, [])
  t.match(
    records.filter(({ data }) => data.type === 'refused').map(sentence)[0],
    'refused by the hub, 1: as it was said (attempt',
  )
})
