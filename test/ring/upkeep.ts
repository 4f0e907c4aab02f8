/** What goes on beside the writing must not hold it up: flash may take half a second for one sync. */
import { readdirSync } from 'node:fs'
import { setTimeout as later } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Disk, realDisk } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { collect, contentOf, noisyJson, stamp } from '../support/ring-records.js'

type Sync = 'of the directory' | 'of a text'

/** A disk whose syncs of one sort wait as long as the gate is closed. */
function gatedDisk(sort: Sync) {
  const gate = { isClosed: false, waiting: 0, open: (): void => undefined }
  let opened = Promise.resolve()
  const pass = async (which: Sync): Promise<void> => {
    if (!gate.isClosed || which !== sort) return
    gate.waiting++
    await opened
  }
  const disk: Disk = {
    ...realDisk,
    async open(path, how) {
      const file = await realDisk.open(path, how)
      const isText = path.endsWith('.log')
      const pause = (): Promise<void> => (isText ? pass('of a text') : Promise.resolve())
      return { ...file, datasync: () => pause().then(() => file.datasync()) }
    },
    syncDirectory: path => pass('of the directory').then(() => realDisk.syncDirectory(path)),
  }
  const close = (): void => {
    gate.isClosed = true
    opened = new Promise(resolve => {
      gate.open = () => {
        gate.isClosed = false
        resolve()
      }
    })
  }
  return { disk, gate, close }
}

/** Fills more than a ring holds, while nothing gets onto the device. */
async function story(t: Test, sort: Sync, filledBefore: number): Promise<void> {
  const dir = t.testdir()
  const { disk, gate, close } = gatedDisk(sort)
  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp, disk })
  let id = 0
  for (; id < filledBefore; id++) {
    await ring.append(noisyJson(id, 8_000), 'kernel')
    // Where the upkeep is behind already, on a busy machine, a writer waits for it, and that is another story.
    while (readdirSync(dir).filter(name => name.endsWith('.log')).length > 1) await later(1)
  }

  close()
  while (gate.waiting === 0) await ring.append(noisyJson(id++, 8_000), 'kernel')
  const seqs: number[] = []
  for (let more = 0; more < 3; more++) seqs.push(await ring.append(noisyJson(id++, 1_000), 'kernel'))
  t.ok(
    seqs.every(seq => seq > 0),
    `they are with the kernel, while ${gate.waiting} syncs wait`,
  )
  const read = await collect(readRing(dir, { fromSeq: seqs[0] ?? 0 }))
  const found = read.flatMap(item => (item.kind === 'record' ? [item.seq] : []))
  t.strictSame(
    seqs.filter(seq => !found.includes(seq)),
    [],
    'where kill -9 does not take them',
  )
  gate.open()
  await ring.close()
  const { inferred } = await contentOf(dir)
  t.strictSame(inferred, [])
  t.strictSame(
    readdirSync(dir).filter(name => name.endsWith('.tmp')),
    [],
  )
}

t.test('no record waits for the device while a segment is sealed', t => story(t, 'of the directory', 0))

t.test('no record waits for the device while room is made', t => story(t, 'of a text', 150))
