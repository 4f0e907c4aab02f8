/** Moments that are over in a blink: what happens in them beside the ring's own work, or ends it there. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Disk } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import { BytesDisk } from '../support/bytes-disk.js'
import { recordJson, stamp } from '../support/ring-records.js'

const dir = 'ring'
const budgetBytes = 262_144

t.test('a sync may begin while a new segment is being made', async t => {
  const disk = new BytesDisk()
  let syncs = 0
  /** Making a file takes until others have synced. */
  const slow: Disk = new Proxy(disk, {
    get: (target, key: keyof Disk) => {
      if (key !== 'open') return target[key].bind(target)
      return async (path: string, how: 'read' | 'modify' | 'create') => {
        const before = syncs
        for (let turns = 0; how === 'create' && syncs === before && turns < 50; turns++) await turn()
        const file = await target.open(path, how)
        const datasync = async () => {
          await turn()
          syncs++
        }
        return { ...file, datasync }
      }
    },
  })
  const { ring } = await openRing({ dir, budgetBytes, stamp, disk: slow })
  const refusals = new Set<string>()
  const write = async (from: number): Promise<void> => {
    for (let id = from; id < 2_000; id += 16) {
      const seq = await ring.append(recordJson(id, 500), id % 3 === 0 ? 'disk' : 'kernel')
      if (seq === 0) refusals.add(ring.state.refusal ?? 'closed')
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, from) => write(from)))
  t.strictSame([...refusals], [])
  t.ok(ring.state.segments > 10, `it rotated often, with ${syncs} syncs`)
  await ring.close()
})
