/**
 * Disks that are really full and really read-only: small file systems of our own, which only root may mount. The ring lives,
 * says exactly what was lost, and is back within 5 s when there is room again.
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { codeOf } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import type { Durability, RingWriter } from '../../agent/ring/ring.js'
import { segmentBytesOf } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { randomFrom } from '../support/campaign.js'
import { LoopMount, loopMountLacks } from '../support/loop-mount.js'
import { type Account, accountOf, bytesOf, isThere } from '../support/ring-account.js'
import { allSealed, collect, contentOf, recordJson, stamp } from '../support/ring-records.js'

t.jobs = 4

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

/** Somebody else's file, that takes every byte there is. @returns its path */
function fill(disk: string): string {
  const path = join(disk, 'somebody-elses')
  const file = openSync(path, 'w')
  for (const piece of [Buffer.alloc(65_536), Buffer.alloc(512)]) {
    try {
      for (;;) writeSync(file, piece)
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
  return path
}

/** Files, as many as there can be. @returns their paths */
function fillInodes(disk: string): string[] {
  const paths: string[] = []
  for (;;) {
    const path = join(disk, `somebody-elses-${paths.length}`)
    try {
      writeFileSync(path, '')
      paths.push(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error
      return paths
    }
  }
}

/** Hardly to be compressed: a disk is to be full of it. */
function noise(id: number, bytes: number): string {
  const random = randomFrom(id)
  let said = ''
  while (said.length < bytes) said += Math.floor(random() * 36 ** 6).toString(36)
  return said.slice(0, bytes)
}

/** One who appends records with the ids 1, 2, 3 ... and keeps what was said of them. */
class Appender {
  readonly promised = new Map<number, number>()
  appended = 0
  /** The greatest size that was seen between two batches. */
  bytesMax = 0

  constructor(
    readonly ring: RingWriter,
    readonly dir: string,
  ) {}

  /** In batches of at most 100. */
  async append(count: number, paddingBytes: number, durability: Durability = 'kernel'): Promise<void> {
    for (let left = count; left > 0; left -= 100) {
      const ids = Array.from({ length: Math.min(left, 100) }, () => ++this.appended)
      const jsonOf = (id: number) => recordJson(id).replace('"x":""', `"x":"${noise(id, paddingBytes)}"`)
      const seqs = await Promise.all(ids.map(id => this.ring.append(jsonOf(id), durability)))
      seqs.forEach((seq, index) => {
        if (seq > 0) this.promised.set(seq, ids[index] ?? 0)
      })
      this.bytesMax = Math.max(this.bytesMax, bytesOf(this.dir))
    }
  }

  /** The disk is well again: it must come back. @returns what it then says of everything */
  async comesBack(t: Test): Promise<Account> {
    t.comment(`back after ${Math.round(await isThere(this.dir, this.appended))} ms`)
    await this.append(1, 0, 'disk')
    t.match(this.ring.state, { mode: 'disk', lostUnsaid: 0 })
    await this.ring.close()
    t.ok(ringIsWhole(await collect(verifyRing(this.dir))))
    const limitBytes = this.ring.state.budgetBytes + segmentBytesOf(this.ring.state.budgetBytes)
    t.ok(this.bytesMax <= limitBytes, `${this.bytesMax} bytes of ${limitBytes}`)
    const account = await accountOf(this.dir, this.appended, this.promised)
    t.comment(`${account.lost} of ${this.appended} lost`)
    return account
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

const isId = (id: number | undefined): boolean => id !== undefined

const open = async (dir: string, budgetBytes: number): Promise<Appender> =>
  new Appender((await openRing({ dir, budgetBytes, stamp })).ring, dir)

t.test('a disk that is full is waited for, and the gap record says exactly how many did not fit', { skip }, async t => {
  const disk = mounted(t, 'size=2m')
  const on = await open(join(disk, 'ring'), 4 << 20)
  await on.append(100, 100, 'disk')
  const filler = fill(disk)
  await on.append(8_000, 100)
  t.match(on.ring.state, { mode: 'memory', refusal: /ENOSPC/ }, 'there is nothing of its own it could give up')
  // Memory holds the newest 2,000.
  const lost = 8_100 - on.promised.size - 2_000
  t.equal(on.ring.state.lostUnsaid, lost)

  rmSync(filler)
  t.strictSame(await on.comesBack(t), { lost, said: lost, problems: [], reasons: ['diskFull'] })
})

for (const leftBytes of [100_000, 0]) {
  t.test(
    `a ring to which others leave ${leftBytes} bytes gives up its own oldest, and counts them`,
    { skip },
    async t => {
      const disk = mounted(t, 'size=3m')
      const on = await open(join(disk, 'ring'), 2 << 20)
      await on.append(6_000, 100)
      // What is sealed only afterwards would make all the room there need be.
      await allSealed(join(disk, 'ring'))
      truncateSync(fill(disk), statSync(join(disk, 'somebody-elses')).size - leftBytes)
      const thenBytes = bytesOf(join(disk, 'ring'))
      await on.append(3_000, 100)
      // Nobody has made room for it.
      const account = await on.comesBack(t)
      t.strictSame(account, { ...account, said: account.lost, problems: [] })
      t.ok(account.reasons.includes('overflow'), `${account.reasons}`)
      t.ok(on.appended - account.lost > 2_100, 'more is left than what memory held')
      const grownBytes = bytesOf(join(disk, 'ring')) - thenBytes
      t.ok(grownBytes <= segmentBytesOf(2 << 20), `it has grown by ${grownBytes} bytes: the reserve is for others`)
    },
  )
}

t.test('a disk without inodes is waited for too', { skip }, async t => {
  const disk = mounted(t, 'size=16m,nr_inodes=32')
  const on = await open(join(disk, 'ring'), 4 << 20)
  await on.append(1, 0)
  const fillers = fillInodes(disk)
  while (on.ring.state.mode === 'disk' && on.appended < 1_000) await on.append(1, 5_000)
  t.match(on.ring.state, { mode: 'memory', refusal: /ENOSPC/ })
  await on.append(3_000, 0)
  for (const filler of fillers) rmSync(filler)
  const { lost, ...account } = await on.comesBack(t)
  t.strictSame(account, { said: lost, problems: [], reasons: ['diskFull'] })
  t.ok(lost > 1_000, 'memory holds the newest 2,000')
})

t.test(
  'a ring on a disk that is read-only starts in memory, and goes on where it was once it can be written',
  { skip },
  async t => {
    const disk = mounted(t, 'size=4m')
    const dir = join(disk, 'ring')
    const before = await open(dir, 1 << 20)
    await before.append(10, 0)
    await before.ring.close()
    writeFileSync(join(dir, 'half.tmp'), 'recovery wants to delete this')
    t.ok(run('mount', '-o', 'remount,ro', disk))

    const { ring, lastRecord } = await openRing({ dir, budgetBytes: 1 << 20, stamp })
    t.equal(JSON.parse(lastRecord ?? '{}').data.id, 10, 'what is there can be read')
    const on = new Appender(ring, dir)
    on.appended = 10
    for (const [seq, id] of before.promised) on.promised.set(seq, id)
    await on.append(2_500, 0)
    t.match(ring.state, { mode: 'memory', refusal: /EROFS/ })
    t.equal(on.promised.size, 10, 'nothing is promised')
    t.strictSame([...(await contentOf(dir)).ids.values()].filter(isId), range(1, 10), 'and nothing is written')

    t.ok(run('mount', '-o', 'remount,rw', disk))
    t.strictSame(await on.comesBack(t), { lost: 500, said: 500, problems: [], reasons: ['readOnly'] })
  },
)

t.test(
  'a file system that turns read-only under the writer: what it had is there, and the rest is in memory until it is repaired',
  { skip: loopMountLacks('ext4', 'e2fsck') },
  async t => {
    const disk = LoopMount.make(t, 'ext4', 'errors=remount-ro')
    const on = await open(join(disk.dir, 'ring'), 4 << 20)
    await on.append(3_000, 100)
    // A kernel that has found its file system broken writes nothing more, not even what it had taken.
    await on.append(1, 100, 'disk')
    const promisedBefore = on.promised.size
    t.equal(promisedBefore, 3_001)
    disk.breakDown()
    await on.append(5_000, 100)
    t.match(on.ring.state, { mode: 'memory', refusal: /EROFS/ })
    t.equal(on.promised.size, promisedBefore, 'nothing is promised')

    disk.repair()
    t.strictSame(await on.comesBack(t), { lost: 3_000, said: 3_000, problems: [], reasons: ['readOnly'] })
  },
)
