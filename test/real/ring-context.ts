/** Whoever has a single segment of a gateway's ring knows whose it is, what ran there, and what was going on when it began. */
import { join } from 'node:path'
import t from 'tap'
import { askDaemon } from '../../agent/control.js'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

t.test('a segment that is begun in an outage opens with device, versions, clocks and that outage', async t => {
  const door = await hub.addDevice('gateway')
  const gateway = await Gateway.make(hub, hub.connectionString('gateway'), { ring: { budgetBytes: 262_144 } })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const all = (type: string) => gateway.json<LogRecord>('logs', '--type', type, '--state-dir', gateway.stateDir)
  const outage = async () =>
    (await gateway.json<Episode>('episodes', '--state-dir', gateway.stateDir)).find(({ state }) => state === 'open')

  gateway.start()
  await hub.waitFor(event => event.type === 'subscribe', { from: 0 })
  await door.set({ kind: 'refuse' })
  door.cut('fin')
  while (!(await outage()));
  // More than a segment of them.
  const socket = join(gateway.stateDir, 'control.sock')
  for (let mark = 0; mark < 40; mark++) await askDaemon(socket, 'mark', { note: 'x'.repeat(500) })

  const [start] = await all('start')
  const { pid, device, credential, configHash, versions } = start!.data
  const contexts = await all('context')
  t.match(contexts[0], {
    seq: 1,
    bootId: start!.bootId,
    data: { pid, device, credential, configHash, versions, session: null, episode: null },
  })
  t.match(contexts.at(-1), {
    bootId: start!.bootId,
    data: {
      pid,
      device,
      credential,
      configHash,
      versions,
      protocol: 'mqtt',
      clock: { wallMs: Number, monoMs: Number, bootId: start!.bootId },
      session: null,
      episode: { id: (await outage())!.id, state: 'open' },
      ring: { goneTo: 0, told: [] },
    },
  })
  t.ok(contexts.length > 1, `${contexts.length} segments`)
})
