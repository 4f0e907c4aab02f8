/** The verbose file: bounded, in order, alive on a file system that refuses, and honest about what it lost. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Place } from '../../agent/recall/place.js'
import { readVerbose, VerboseFile, type VerboseFileOptions } from '../../agent/recall/verbose-file.js'
import { type FaultPlan, faultyDisk } from '../support/ring-disk.js'
import { collect, seedFrom } from '../support/ring-records.js'

const placeIn = (dir: string): Place => ({ dir, name: 'control', own: false })

const newer = 'control.verbose.log'
const older = 'control.verbose.1.log'

type Scene = Readonly<{ file: VerboseFile; place: Place; refusals: (string | null)[] }>

function scene(dir: string, options: Partial<VerboseFileOptions> = {}): Scene {
  const place = placeIn(dir)
  const refusals: (string | null)[] = []
  const file = new VerboseFile({
    place,
    opening: () => '{"opening":true}',
    missing: (count, reason) => JSON.stringify({ missing: count, reason }),
    onRefusal: code => refusals.push(code),
    ...options,
  })
  return { file, place, refusals }
}

const record = (id: number, paddingBytes = 0): string => JSON.stringify({ id, x: 'x'.repeat(paddingBytes) })

/** Ids of records, and the notes of what is missing where they stand; opening lines are left out. */
async function contentOf(lines: AsyncIterable<{ seq: number; json: string }>): Promise<(number | object)[]> {
  return (await collect(lines)).flatMap(({ json }) => {
    const { id, missing, reason } = JSON.parse(json)
    return id !== undefined ? [id] : missing !== undefined ? [{ missing, reason }] : []
  })
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

t.test('records come back in order and numbered, behind the line that opens the file', async t => {
  const { file, place } = scene(t.testdir())
  for (const id of range(1, 3)) file.append(record(id))
  t.strictSame(readdirSync(place.dir), [], 'nothing is touched before it begins')
  await file.begin()
  file.openAgain()
  file.append(record(4))
  await file.flush()
  const lines = await collect(file.read())
  t.strictSame(lines, [
    { seq: 1, json: '{"seq":1,"opening":true}' },
    { seq: 1, json: '{"seq":1,"id":1,"x":""}' },
    { seq: 2, json: '{"seq":2,"id":2,"x":""}' },
    { seq: 3, json: '{"seq":3,"id":3,"x":""}' },
    { seq: 3, json: '{"seq":3,"opening":true}' },
    { seq: 4, json: '{"seq":4,"id":4,"x":""}' },
  ])
  t.strictSame(await collect(readVerbose(place)), lines, 'another process reads the same')
  t.equal(statSync(join(place.dir, newer)).mode & 0o777, 0o600)
  await file.close()
})

t.test('a record is handed over without anybody asking for it', async t => {
  const { file, place } = scene(t.testdir())
  await file.begin()
  file.append(record(1))
  const signal = AbortSignal.timeout(10_000)
  for await (const _ of watch(place.dir, { signal })) {
    if (readFileSync(join(place.dir, newer), 'utf8').includes('"id":1')) break
  }
  t.strictSame(await contentOf(readVerbose(place)), [1])
  await file.close()
})

t.test('it never takes more than its bound, and what it keeps is the newest, without a hole', async t => {
  const bytesMax = 64 << 10
  const { file, place } = scene(t.testdir(), { bytesMax })
  await file.begin()
  for (let id = 1; id <= 5_000; id += 1) {
    file.append(record(id, id % 300))
    if (id % 97 !== 0) continue
    await file.flush()
    const bytes = readdirSync(place.dir).reduce((sum, name) => sum + statSync(join(place.dir, name)).size, 0)
    if (bytes > bytesMax) t.fail(`${bytes} bytes after ${id} records`)
  }
  await file.flush()
  t.strictSame(readdirSync(place.dir).sort(), [older, newer].sort())
  const ids = (await contentOf(file.read())) as number[]
  t.ok(ids.length > 100, `${ids.length} are kept`)
  t.strictSame(ids, range(ids[0]!, 5_000))
  const seqs = (await collect(file.read())).filter(({ json }) => json.includes('"id"')).map(({ seq }) => seq)
  t.strictSame(seqs, ids, 'numbers are those of the records')
  await file.close()
})

t.test('it can be read while it is written and turned', async t => {
  const { file } = scene(t.testdir(), { bytesMax: 64 << 10 })
  await file.begin()
  for (const id of range(1, 200)) file.append(record(id, 200))
  await file.flush()
  const seen: number[] = []
  for await (const { json } of file.read()) {
    const { id } = JSON.parse(json)
    if (id !== undefined) seen.push(id)
    if (id !== seen[0]) continue
    for (const next of range(201, 900)) file.append(record(next, 200))
    await file.flush()
  }
  t.strictSame(seen, range(seen[0]!, 200), 'what was there when the reading began')
  await file.close()
})

t.test('a torn end and a damaged line cost themselves alone', async t => {
  const { file, place } = scene(t.testdir())
  await file.begin()
  for (const id of range(1, 5)) file.append(record(id))
  await file.close()
  const path = join(place.dir, newer)
  const text = readFileSync(path, 'utf8').replace('"id":2', '"id":7')
  writeFileSync(path, text.slice(0, -10))
  t.strictSame(await contentOf(readVerbose(place)), [1, 3, 4])
  t.strictSame(await contentOf(readVerbose(placeIn(t.testdir()))), [], 'and where there is nothing there is nothing')
})

t.test('it begins anew, and an end after which nobody asks leaves nothing', async t => {
  const dir = t.testdir({ [older]: 'from before', [newer]: 'from before', 'control.sock': 'not ours' })
  const { file, place } = scene(dir)
  await file.begin()
  file.append(record(1))
  await file.flush()
  t.strictSame(await contentOf(readVerbose(place)), [1])
  t.strictSame(readdirSync(dir).sort(), ['control.sock', newer])
  file.append(record(2))
  await file.remove()
  t.strictSame(readdirSync(dir), ['control.sock'])
  file.append(record(3))
  await file.flush()
  t.strictSame(readdirSync(dir), ['control.sock'], 'and nothing comes after it')
})

t.test('what is too long, and more than may wait, is counted where it is missing', async t => {
  const { file } = scene(t.testdir())
  file.append(record(1))
  file.append(record(2, 20_000))
  await file.begin()
  file.append(record(3))
  await file.flush()
  t.strictSame(await contentOf(file.read()), [1, { missing: 1, reason: 'queue' }, 3])

  for (const id of range(4, 1_203)) file.append(record(id, 1_000))
  file.append(record(1_204))
  await file.flush()
  file.append(record(1_205))
  await file.flush()
  const [missing] = (await contentOf(file.read())).filter(item => typeof item === 'object').slice(1)
  const ids = (await contentOf(file.read())).filter(item => typeof item === 'number')
  t.match(missing, { missing: Number, reason: 'queue' })
  t.equal(ids.length + Number((missing as { missing: number }).missing) + 1, 1_205, 'each is there or counted')
  await file.close()
})

t.test('while it is refused records are counted, said once, and said in the file when it heals', async t => {
  let code: string | null = null
  const disk = faultyDisk(operation => (operation === 'write' && code !== null ? { code } : null))
  const { file, refusals } = scene(t.testdir(), { disk })
  await file.begin()
  file.append(record(1))
  await file.flush()
  code = 'EROFS'
  for (const id of [2, 3, 4]) {
    file.append(record(id))
    await file.flush()
  }
  code = null
  file.append(record(5))
  await file.flush()
  file.append(record(6))
  await file.flush()
  t.strictSame(await contentOf(file.read()), [1, { missing: 3, reason: 'EROFS' }, 5, 6])
  t.strictSame(refusals, ['EROFS', null])
  await file.close()
})

t.test('a write that is taken in part keeps its whole lines', async t => {
  let takes: number | null = null
  const plan: FaultPlan = operation => {
    if (operation !== 'write' || takes === null) return null
    const fault = { code: 'EIO', takes }
    takes = 0
    return fault
  }
  const { file } = scene(t.testdir(), { disk: faultyDisk(plan) })
  await file.begin()
  file.append(record(0))
  await file.flush()
  // Two lines and a half.
  takes = 2 * (10 + record(1).length + '"seq":1,'.length) + 11
  for (const id of range(1, 4)) file.append(record(id))
  await file.flush()
  takes = null
  file.append(record(5))
  await file.flush()
  t.strictSame(await contentOf(file.read()), [0, 1, 2, { missing: 2, reason: 'EIO' }, 5])
  await file.close()
})

t.test('on a full file system the newer records take the room of the older ones', async t => {
  const dir = t.testdir()
  const taken = (): number => readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
  let fullAt = Number.POSITIVE_INFINITY
  const disk = faultyDisk(operation => (operation === 'write' && taken() >= fullAt ? { code: 'ENOSPC' } : null))
  const { file, refusals } = scene(dir, { disk, bytesMax: 64 << 10 })
  await file.begin()
  for (const id of range(1, 200)) file.append(record(id, 200))
  await file.flush()
  fullAt = taken()
  file.append(record(201))
  await file.flush()
  const ids = (await contentOf(file.read())) as number[]
  t.equal(ids.at(-1), 201)
  t.strictSame(ids, range(ids[0]!, 201))
  t.strictSame(refusals, [])
  await file.close()
})

const operations = ['open', 'read', 'write', 'rename', 'remove'] as const

t.test('whatever is refused whenever: nothing throws, and each record is there or counted', async t => {
  const seed = seedFrom('RECALL_SEED')
  t.comment(`RECALL_SEED=${seed}`)
  const action = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('append' as const), bytes: fc.integer({ min: 0, max: 4_000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('fault' as const),
        operation: fc.constantFrom(...operations),
        code: fc.constantFrom('ENOSPC', 'EROFS', 'EIO', 'EMFILE'),
        takes: fc.integer({ min: 0, max: 3_000 }),
        times: fc.integer({ min: 1, max: 3 }),
      }),
    },
  )
  const dir = t.testdir()
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async actions => {
      const faults = new Map<string, { code: string; takes: number; times: number }>()
      const plan: FaultPlan = operation => {
        const fault = faults.get(operation)
        if (fault === undefined || fault.times === 0) return null
        fault.times -= 1
        return fault
      }
      // Large enough not to forget anything: then nothing may be missing without a word.
      const { file, place } = scene(dir, { disk: faultyDisk(plan), bytesMax: 8 << 20 })
      await file.begin()
      let appended = 0
      for (const next of actions) {
        if (next.do === 'append') file.append(record(++appended, next.bytes))
        else if (next.do === 'flush') await file.flush()
        else faults.set(next.operation, { ...next })
      }
      faults.clear()
      await file.flush()
      file.append(record(++appended))
      await file.flush()
      await file.flush()
      const content = await contentOf(readVerbose(place))
      const missing = content.reduce<number>((sum, item) => sum + (typeof item === 'object' ? missingOf(item) : 0), 0)
      const ids = content.filter(item => typeof item === 'number')
      const rising = ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? 0))
      await file.remove()
      if (!rising || ids.length + missing !== appended) {
        throw new Error(`${ids.length} there, ${missing} counted of ${appended}: ${JSON.stringify(content)}`)
      }
    }),
    { seed, numRuns: 200 },
  )
})

const missingOf = (item: object): number => ('missing' in item ? Number(item.missing) : 0)

const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0

/** Not under the tests' own directory, which is emptied by force. */
function mount(): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'hubrec-verbose-'))
  if (run('mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', dir)) return dir
  rmdirSync(dir)
  return null
}

function unmount(dir: string): void {
  run('umount', '-l', dir)
  rmdirSync(dir)
}

const tried = mount()
if (tried !== null) unmount(tried)
const skip = tried === null ? 'mounting a small disk needs root: not tested on this machine' : false

t.test('on a tmpfs that somebody else has filled it says so, and goes on when there is room', { skip }, async t => {
  const dir = mount()
  if (dir === null) throw new Error('it could be mounted before')
  t.teardown(() => unmount(dir))
  const { file, refusals } = scene(dir, { bytesMax: 128 << 10 })
  await file.begin()
  file.append(record(1))
  await file.flush()
  const filler = join(dir, 'somebody-elses')
  // More than fits: it takes what there is.
  spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k', 'count=100'])
  for (const id of range(2, 40)) {
    file.append(record(id, 1_000))
    await file.flush()
  }
  t.strictSame(refusals, ['ENOSPC'])
  rmSync(filler)
  file.append(record(41))
  await file.flush()
  const content = await contentOf(file.read())
  // A note is short, and may have fitted where a record did not.
  const notes = content.filter(item => typeof item === 'object')
  t.strictSame([...new Set(notes.map(note => (note as { reason: string }).reason))], ['ENOSPC'])
  const missing = notes.reduce((sum, note) => sum + missingOf(note), 0)
  t.equal(content.length - notes.length + missing, 41, 'each is there or counted')
  t.ok(missing > 0)
  t.strictSame(refusals, ['ENOSPC', null])
  await file.close()
})
