/** The simulated disk itself: one that never lost anything would make every test on it void. */
import t from 'tap'
import type { DiskFile } from '../../agent/ring/disk.js'
import { randomFrom } from '../support/campaign.js'
import { type Call, type Crash, type Fault, SimulatedDisk } from '../support/simulated-disk.js'

const dir = '/state/ring'
const path = `${dir}/a.log`

const freshDisk = async (
  seed = 1,
  options: { totalBytes?: number; filesMax?: number } = {},
): Promise<SimulatedDisk> => {
  const disk = new SimulatedDisk({ random: randomFrom(seed), ...options })
  await disk.makeDirectory(dir)
  return disk
}

const append = async (file: DiskFile, text: string): Promise<number> =>
  file.write(Buffer.from(text), 0, text.length, (await file.stat()).bytes)

/** What a reader finds; `null` where there is no such file. */
const seenOn = (disk: SimulatedDisk, name = 'a.log'): string | null =>
  disk.files(dir).some(file => file.name === name) ? disk.contentOf(`${dir}/${name}`).toString('latin1') : null

const namesOn = (disk: SimulatedDisk): string[] => disk.files(dir).map(({ name }) => name)

/** Everything that a crash may leave of what was done, over many seeds. What is done may end on another disk than it began. */
async function leftBy<T>(
  how: Crash,
  act: (disk: SimulatedDisk) => Promise<unknown>,
  seen: (left: SimulatedDisk) => T,
): Promise<Set<T>> {
  const all = new Set<T>()
  for (let seed = 1; seed <= 200; seed++) {
    const disk = await freshDisk(seed)
    const last = await act(disk)
    all.add(seen((last instanceof SimulatedDisk ? last : disk).crash(how)))
  }
  return all
}

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it was done',
    (error: { code: string }) => error.code,
  )

const old = 'o'.repeat(1_024)
const more = 'n'.repeat(1_024)

t.test('kill -9 keeps whatever was written, created, renamed and removed', async t => {
  const left = await leftBy(
    'kill',
    async disk => {
      await append(await disk.open(path, 'create'), old)
      await disk.open(`${dir}/b.log`, 'create')
      await disk.rename(`${dir}/b.log`, `${dir}/c.log`)
      await disk.open(`${dir}/d.log`, 'create')
      await disk.remove(`${dir}/d.log`)
    },
    disk => JSON.stringify([namesOn(disk), seenOn(disk) === old]),
  )
  t.strictSame(left, new Set([JSON.stringify([['a.log', 'c.log'], true])]))
})

t.test('a power cut keeps what was synced, and only what was synced for certain', async t => {
  const write = async (disk: SimulatedDisk) => {
    const file = await disk.open(path, 'create')
    await disk.syncDirectory(dir)
    await append(file, old)
    await file.datasync()
    await append(file, more)
    return file
  }
  const unsynced = await leftBy('power', write, disk => seenOn(disk) ?? 'it is gone')
  t.ok(
    [...unsynced].every(content => content.startsWith(old)),
    'what was synced is there',
  )
  t.ok(unsynced.has(old), 'all of the rest may be gone')
  t.ok(unsynced.has(old + more), 'or there')
  t.ok(unsynced.has(old + more.slice(0, 512) + '\0'.repeat(512)), 'the length may be there without the bytes')
  t.ok(unsynced.has(`${old}${'\0'.repeat(512)}${more.slice(512)}`), 'the later sector without the earlier')
  t.ok(
    [...unsynced].some(content => /^o+n{1,511}\0+$/.test(content)),
    'a sector may be torn',
  )
  t.ok(
    [...unsynced].some(content => content.length % 512 !== 0),
    'the file may end anywhere',
  )
  const synced = await leftBy(
    'power',
    async disk => (await write(disk)).datasync(),
    disk => seenOn(disk),
  )
  t.strictSame(synced, new Set([old + more]))
})

t.test('a line that was synced survives another that shares its sector', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      const file = await disk.open(path, 'create')
      await disk.syncDirectory(dir)
      await append(file, 'synced\n')
      await file.datasync()
      await append(file, 'not yet\n')
    },
    disk => seenOn(disk) ?? 'it is gone',
  )
  t.ok([...left].every(content => content.startsWith('synced\n')))
  t.ok(left.size > 3)
})

t.test('a power cut undoes what a directory was not synced for, the last first', async t => {
  const change = async (disk: SimulatedDisk) => {
    await (await disk.open(path, 'create')).close()
    await disk.syncDirectory(dir)
    await (await disk.open(`${dir}/b.tmp`, 'create')).close()
    await disk.rename(`${dir}/b.tmp`, `${dir}/b.log`)
    await disk.remove(path)
  }
  t.strictSame(
    await leftBy('power', change, disk => namesOn(disk).join(' ')),
    new Set(['a.log', 'a.log b.tmp', 'a.log b.log', 'b.log']),
  )
  t.strictSame(
    await leftBy(
      'power',
      async disk => {
        await change(disk)
        await disk.syncDirectory(dir)
      },
      disk => namesOn(disk).join(' '),
    ),
    new Set(['b.log']),
  )
})

t.test('a file may lose its name in a power cut, though its bytes were synced', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      const file = await disk.open(path, 'create')
      await append(file, old)
      await file.datasync()
    },
    disk => seenOn(disk),
  )
  t.strictSame(left, new Set([null, old]))
})

t.test('a file that is renamed before it is synced may be empty, under its new name', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      await append(await disk.open(`${dir}/a.tmp`, 'create'), old)
      await disk.rename(`${dir}/a.tmp`, path)
      await disk.syncDirectory(dir)
    },
    disk => seenOn(disk),
  )
  t.ok(left.has(''))
  t.ok(left.has(old))
})

t.test('a sync speaks for what came before its call, not for what comes while it runs', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      const file = await disk.open(path, 'create')
      await disk.syncDirectory(dir)
      await append(file, 'before')
      const synced = file.datasync()
      await file.write(Buffer.from(' meanwhile'), 0, 10, 6)
      await synced
    },
    disk => seenOn(disk) ?? 'it is gone',
  )
  t.ok([...left].every(content => content.startsWith('before')))
  t.ok(left.has('before'))
})

t.test('of two syncs at the same time the later may end first, and takes nothing back', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      const file = await disk.open(path, 'create')
      await disk.syncDirectory(dir)
      await append(file, 'first')
      const early = file.datasync()
      await file.write(Buffer.from(' second'), 0, 7, 5)
      await Promise.all([early, file.datasync()])
    },
    disk => seenOn(disk),
  )
  t.strictSame(left, new Set(['first second']))
})

t.test('what a failed sync did not write can be read until the power goes, and no later sync writes it', async t => {
  const act = async (disk: SimulatedDisk) => {
    const file = await disk.open(path, 'create')
    await disk.syncDirectory(dir)
    await append(file, old)
    disk.onCall = () => ({ fails: 'EIO' })
    const code = await codeOf(file.datasync())
    disk.onCall = null
    if (code !== 'EIO') throw new Error(code)
    await append(file, more)
    await file.datasync()
    if (seenOn(disk) !== old + more) throw new Error('it cannot be read')
  }
  const left = await leftBy('power', act, disk => seenOn(disk) ?? 'it is gone')
  t.ok([...left].every(content => content.length === 2_048 && content.endsWith(more)))
  t.ok(left.has('\0'.repeat(1_024) + more))
  t.strictSame(await leftBy('kill', act, seenOn), new Set([old + more]))
  const afterKill = await leftBy(
    'power',
    async disk => {
      await act(disk)
      return disk.crash('kill')
    },
    disk => seenOn(disk) ?? 'it is gone',
  )
  t.ok(afterKill.has('\0'.repeat(1_024) + more), 'nor does a kill -9 between change that')
})

t.test('what was written before a kill -9 is still not on the device after it', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      await append(await disk.open(path, 'create'), old)
      const second = disk.crash('kill')
      if (seenOn(second) !== old) throw new Error('it cannot be read')
      return second
    },
    disk => seenOn(disk),
  )
  t.ok(left.has(null))
  t.ok(left.has(''))
  t.ok(left.has(old))
})

t.test('a truncation that was not synced may be undone', async t => {
  const left = await leftBy(
    'power',
    async disk => {
      const file = await disk.open(path, 'create')
      await append(file, old)
      await disk.syncDirectory(dir)
      await file.datasync()
      await file.truncate(100)
    },
    disk => seenOn(disk) ?? 'it is gone',
  )
  t.ok(left.has(old))
  t.ok(left.has(old.slice(0, 100)))
})

t.test('a deleted file goes on for those who have it open, says so, and takes room until they close it', async t => {
  const disk = await freshDisk(1, { totalBytes: 16 * 1_024 })
  const file = await disk.open(path, 'create')
  await append(file, old)
  await disk.remove(path)
  t.strictSame(await file.stat(), { bytes: 1_024, links: 0 })
  t.equal(await append(file, more), 1_024)
  t.equal(disk.freeBytes, 12 * 1_024)
  await file.close()
  t.equal(disk.freeBytes, 16 * 1_024)
  t.equal(await codeOf(file.stat()), 'EBADF')
})

t.test('a disk takes what it has room for, and then says ENOSPC, for bytes and for files', async t => {
  const disk = await freshDisk(1, { totalBytes: 8 * 1_024, filesMax: 2 })
  const file = await disk.open(path, 'create')
  t.equal(await append(file, 'x'.repeat(10_000)), 8_192)
  t.equal(await codeOf(append(file, 'x')), 'ENOSPC')
  t.equal(await file.write(Buffer.from('y'), 0, 1, 0), 1, 'what is there already can be written again')
  t.strictSame(await disk.space(dir), { freeBytes: 0, totalBytes: 8_192 })
  await disk.open(`${dir}/b.log`, 'create')
  t.equal(await codeOf(disk.open(`${dir}/c.log`, 'create')), 'ENOSPC')
  await disk.remove(path)
  await file.close()
  await disk.open(`${dir}/c.log`, 'create')
  disk.othersBytes = 8_192
  t.equal(await codeOf(append(await disk.open(`${dir}/c.log`, 'modify'), 'x')), 'ENOSPC')
})

t.test('a read-only disk can be read and not be changed', async t => {
  const disk = await freshDisk()
  const file = await disk.open(path, 'create')
  await append(file, 'here')
  disk.readOnly = true
  t.strictSame(
    await Promise.all(
      [
        append(file, 'x'),
        file.truncate(0),
        file.datasync(),
        disk.open(`${dir}/b`, 'create'),
        disk.open(path, 'modify'),
        disk.rename(path, `${dir}/b`),
        disk.remove(path),
        disk.syncDirectory(dir),
        disk.makeDirectory('/other'),
      ].map(codeOf),
    ),
    Array.from({ length: 9 }, () => 'EROFS'),
  )
  const reader = await disk.open(path, 'read')
  const into = Buffer.alloc(10)
  t.equal(await reader.read(into, 0, 10, 0), 4)
  t.equal(into.toString('latin1', 0, 4), 'here')
  t.strictSame(await disk.names(dir), ['a.log'])
  disk.readOnly = false
  await file.datasync()
})

t.test('a fault comes where it is asked for, and a dead machine answers nobody', async t => {
  const disk = await freshDisk()
  const calls: Call[] = []
  const faults: (Fault | null)[] = [null, { takes: 3 }, { fails: 'EIO' }, { crash: 'kill', when: 'after' }]
  const start = disk.calls
  disk.onCall = call => {
    calls.push(call)
    return faults[call.index - start] ?? null
  }
  const file = await disk.open(path, 'create')
  t.equal(await file.write(Buffer.from('abcdef'), 0, 6, 0), 3)
  t.equal(await codeOf(file.write(Buffer.from('def'), 0, 3, 3)), 'EIO')
  const pending = [file.write(Buffer.from('def'), 0, 3, 3)]
  const left = await disk.crashed
  pending.push(file.write(Buffer.from('ghi'), 0, 3, 6))
  t.equal(seenOn(left), 'abcdef')
  t.equal(disk.isBusy, false)
  let answered = false
  for (const promise of pending) void promise.finally(() => (answered = true))
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
  t.equal(answered, false)
  t.equal(seenOn(left), 'abcdef', 'and does nothing')
  t.strictSame(
    calls.map(({ operation, path, index }) => [operation, path, index - start]),
    [
      ['open', path, 0],
      ['write', path, 1],
      ['write', path, 2],
      ['write', path, 3],
    ],
  )
})

t.test('the same seed gives the same disk', async t => {
  const stories = await Promise.all(
    [7, 7, 8].map(async seed => {
      const disk = await freshDisk(seed)
      const file = await disk.open(path, 'create')
      await disk.syncDirectory(dir)
      await append(file, old.repeat(20))
      return seenOn(disk.crash('power'))
    }),
  )
  t.equal(stories[0], stories[1])
  t.not(stories[0], stories[2])
})
