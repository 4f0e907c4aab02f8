/** Disks that are really full, and really read-only: a tmpfs of one megabyte, which only root may mount. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { followRing } from '../../agent/ring/read.js'
import { areConsecutive, contentOf, recordJson, stamp } from '../support/ring-records.js'

const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0

/** @returns where it is mounted, or `null` where that is not allowed; not under the tests' own directory, which is emptied by force */
function mount(options: string): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'hubrec-ring-'))
  if (run('mount', '-t', 'tmpfs', '-o', options, 'none', dir)) return dir
  rmdirSync(dir)
  return null
}

function unmount(dir: string): void {
  run('umount', '-l', dir)
  rmdirSync(dir)
}

/** For as long as the test lasts. */
function mounted(t: Test, options: string): string {
  const dir = mount(options)
  if (dir === null) throw new Error('it could be mounted before')
  t.teardown(() => unmount(dir))
  return dir
}

const tried = mount('size=1m')
if (tried !== null) unmount(tried)
/** Said aloud, where it is so. */
const skip = tried === null ? 'mounting a small disk needs root: not tested on this machine' : false

async function isThere(dir: string, id: number): Promise<void> {
  for await (const item of followRing(dir, { fromSeq: 1 }))
    if (item.kind === 'record' && JSON.parse(item.json).data.id === id) return
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

t.test('a disk that is full is waited for, and the gap record says exactly how many did not fit', { skip }, async t => {
  const disk = mounted(t, 'size=2m')
  const dir = join(disk, 'ring')
  writeFileSync(join(disk, 'somebody-elses'), Buffer.alloc(1_500_000))

  const { ring } = await openRing({ dir, budgetBytes: 4 << 20, stamp })
  const seqs: number[] = []
  for (let id = 1; id <= 8_000; id += 100)
    seqs.push(...(await Promise.all(range(id, id + 99).map(id => ring.append(recordJson(id, 100), 'kernel')))))
  t.equal(ring.state.mode, 'memory')
  t.match(ring.state.refusal, /ENOSPC/)
  const promised = seqs.filter(seq => seq > 0)
  t.strictSame(promised, range(1, promised.length), 'numbers go on until it is full')
  t.ok(promised.length > 1_000 && promised.length < 4_000, `${promised.length} fitted`)
  const lost = 8_000 - promised.length - 2_000
  t.equal(ring.state.lostUnsaid, lost)

  rmSync(join(disk, 'somebody-elses'))
  await isThere(dir, 8_000)
  t.equal(ring.state.mode, 'disk')
  t.equal(await ring.append(recordJson(8_001), 'disk'), promised.length + 2_002)
  await ring.close()
  const { seqs: there, ids, gaps, inferred } = await contentOf(dir)
  t.ok(areConsecutive(there))
  t.strictSame([...ids.values()], [...range(1, promised.length), ...range(6_001, 8_001)])
  t.strictSame(gaps, [{ reason: 'diskFull', count: lost, fromSeq: null, toSeq: null }])
  t.strictSame(inferred, [])
})

t.test('a disk without inodes is waited for too', { skip }, async t => {
  const disk = mounted(t, 'size=4m,nr_inodes=8')
  const dir = join(disk, 'ring')
  mkdirSync(dir)
  const fillers = range(1, 4).map(n => join(disk, `filler-${n}`))
  for (const filler of fillers) writeFileSync(filler, '')

  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  let id = 0
  while (ring.state.mode === 'disk') await ring.append(recordJson(++id, 5_000), 'kernel')
  t.match(ring.state.refusal, /ENOSPC/)
  for (const filler of fillers) rmSync(filler)
  await isThere(dir, id)
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame([...ids.values()], range(1, id))
  t.strictSame(gaps, [])
})

t.test(
  'a ring on a disk that is read-only starts in memory, and goes on where it was once it can be written',
  async t => {
    const disk = mounted(t, 'size=2m')
    const dir = join(disk, 'ring')
    const before = (await openRing({ dir, budgetBytes: 1 << 20, stamp })).ring
    await Promise.all(range(1, 10).map(id => before.append(recordJson(id), 'kernel')))
    await before.close()
    writeFileSync(join(dir, 'half.tmp'), 'recovery wants to delete this')
    t.ok(run('mount', '-o', 'remount,ro', disk))

    const { ring, lastRecord } = await openRing({ dir, budgetBytes: 1 << 20, stamp })
    t.equal(JSON.parse(lastRecord ?? '{}').seq, 10, 'what is there can be read')
    t.equal(ring.state.mode, 'memory')
    t.match(ring.state.refusal, /EROFS/)
    const seqs = await Promise.all(range(11, 2_510).map(id => ring.append(recordJson(id), 'kernel')))
    t.strictSame(new Set(seqs), new Set([0]))
    t.strictSame([...(await contentOf(dir)).ids.values()], range(1, 10))

    t.ok(run('mount', '-o', 'remount,rw', disk))
    await isThere(dir, 2_510)
    await ring.close()
    const { ids, gaps } = await contentOf(dir)
    t.strictSame([...ids.values()].at(-1), 2_510)
    t.strictSame(gaps[0], { reason: 'readOnly', count: 500, fromSeq: null, toSeq: null })
  },
)
