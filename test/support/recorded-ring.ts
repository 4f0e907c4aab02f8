/** A ring directory with a small story in it, written by the real ring through the real redactor. */
import type { Episode } from '../../agent/evidence/episode.js'
import { type Draft, levels, type RecordType } from '../../agent/evidence/record.js'
import { createRedactor } from '../../agent/redact.js'
import { openRing } from '../../agent/ring/open.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'

/** 2026-11-22T10:00:00.000Z */
export const storyStartMs = Date.UTC(2026, 10, 22, 10)

/** What a record of the story says; `atS` counts seconds from its start. */
export type Line = Readonly<{ atS: number; type: RecordType; data: object; level?: number; conn?: string | null }>

export const draftOf = ({ atS, type, data, level = levels.info, conn = 'hubrec' }: Line): Draft => ({
  at: new Date(storyStartMs + atS * 1e3).toISOString(),
  bootId: 'boot-1',
  monoMs: 1_000 + atS * 1e3,
  level,
  type,
  conn,
  inc: conn === null ? null : 1,
  data: { ...data },
})

export const episodeOf = (id: string, atS: number, change: Partial<Episode> = {}): Episode => ({
  id,
  conn: 'hubrec',
  state: 'closed',
  provisional: false,
  planned: false,
  protocol: 'mqtt',
  startedAt: new Date(storyStartMs + atS * 1e3).toISOString(),
  endedAt: new Date(storyStartMs + (atS + 5) * 1e3).toISOString(),
  durationMs: 5_000,
  session: { lastedMs: 60_000 },
  detectedAfterMs: 12,
  attempts: 2,
  waitedMs: 900,
  sdkSaid: null,
  verdict: {
    cause: 'peer-reset',
    confidence: 'likely',
    title: 'The connection was reset',
    hubCodes: ['404104'],
    evidence: ['A reset came.'],
    nextSteps: ['Look at the firewall.'],
    docs: [],
    runnersUp: [],
  },
  ...change,
})

/** Connected, samples, a reset, back; nine records from second 0 to second 40. */
export const story: readonly Line[] = [
  { atS: 0, type: 'start', data: { pid: 1 }, conn: null },
  { atS: 1, type: 'wire', data: { type: 'connecting', attempt: 1, host: 'my-hub.azure-devices.net', port: 8883 } },
  { atS: 2, type: 'wire', data: { type: 'accepted', attempt: 1, sessionPresent: false, ms: 20 } },
  {
    atS: 10,
    type: 'sample',
    level: levels.debug,
    conn: null,
    data: { interfaces: { byName: { eth0: { rxBytes: 100, operstate: 'up' } } }, memory: { freeBytes: 5 } },
  },
  {
    atS: 20,
    type: 'sample',
    level: levels.debug,
    conn: null,
    data: {
      interfaces: { byName: { eth0: { rxBytes: 200, operstate: '=cmd|x' }, wlan0: { rxBytes: 1 } } },
      resolvers: { nameservers: ['10.0.0.1', '10.0.0.2'] },
      power: null,
    },
  },
  {
    atS: 30,
    type: 'wire',
    level: levels.warn,
    data: { type: 'closed', attempt: 1, by: 'network', how: 'rst', stage: 'session' },
  },
  { atS: 31, type: 'log', level: levels.error, conn: null, data: { msg: 'something failed: ERR 7', code: 7 } },
  { atS: 35, type: 'episode', level: levels.warn, data: episodeOf('e1', 30) },
  { atS: 40, type: 'log', conn: null, data: { msg: 'all is well' } },
]

/** @param dir made where it is not there */
export async function recordRing(
  dir: string,
  lines: Iterable<Line>,
  { secrets = createSecrets(), budgetBytes = 16 << 20 }: { secrets?: Secrets; budgetBytes?: number } = {},
): Promise<void> {
  const redactor = createRedactor(secrets)
  const stamp = () => ({ at: new Date(storyStartMs).toISOString(), bootId: 'boot-1', monoMs: 0 })
  const { ring } = await openRing({ dir, budgetBytes, stamp })
  // Not one at a time: the ring gathers what comes together into one write.
  let waiting: Promise<number>[] = []
  for (const line of lines) {
    waiting.push(ring.append(redactor.json(draftOf(line)), 'kernel'))
    if (waiting.length < 1_000) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
  await ring.close()
}
