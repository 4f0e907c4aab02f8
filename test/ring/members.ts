import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { realDisk } from '../../agent/ring/disk.js'
import { scanSegment } from '../../agent/ring/scan.js'
import { collect } from '../support/ring-records.js'
import { member } from '../support/ring-sealed.js'

const lines = (...seqs: number[]): string => seqs.map(seq => `{"seq":${seq}}\n`).join('')

/** `5` for record 5, `bad N` for a stretch of N bytes. */
const scan = async (dir: string, bytes: Buffer): Promise<(number | string)[]> => {
  const path = join(dir, '00000000000000000001.ndjson.gz')
  writeFileSync(path, bytes)
  const items = (await collect(scanSegment(realDisk, path, true))).flat()
  return items.map(item =>
    item.kind === 'line' ? item.seq : `${item.kind} ${item.kind === 'skipped' ? item.firstSeq : item.bytes}`,
  )
}

t.test('the members of a sealed segment are read one after the other', async t => {
  const dir = t.testdir()
  const sealed = Buffer.concat([member(lines(1, 2), Buffer.from('extra')), member(lines(3)), member('')])
  t.strictSame(await scan(dir, sealed), [1, 2, 3])
  t.strictSame(await scan(dir, Buffer.alloc(0)), [])
})

t.test('what any gzip makes of the same lines is read as well', async t => {
  const dir = t.testdir()
  t.strictSame(await scan(dir, gzipSync(lines(1, 2, 3))), [1, 2, 3])
  const text = Buffer.from(lines(4))
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(text), 0)
  trailer.writeUInt32LE(text.length, 4)
  const allFields = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 + 4 + 8 + 16, 0, 0, 0, 0, 0, 3, 3, 0]),
    Buffer.from('xyzname\0comment\0cc'),
    deflateRawSync(text),
    trailer,
  ])
  t.strictSame(await scan(dir, allFields), [4])
})

t.test('a damaged member costs its own records only, wherever the damage is', async t => {
  const dir = t.testdir()
  const [a, b, c] = [member(lines(1, 2)), member(lines(3, 4), Buffer.from('extra')), member(lines(5))] as const
  for (let at = 0; at < b.length; at++) {
    const damaged = Buffer.from(b)
    damaged[at]! ^= 0x55
    const found = await scan(dir, Buffer.concat([a, damaged, c]))
    // Time, operating system and the text of the extra field are not covered by any checksum: nothing depends on them.
    if (!found.includes(3)) t.strictSame(found, [1, 2, `bad ${b.length}`, 5], `byte ${at}`)
    else t.strictSame(found, [1, 2, 3, 4, 5], `byte ${at}`)
  }
})

t.test('a member that ends too early is damage', async t => {
  const dir = t.testdir()
  const [a, b] = [member(lines(1)), member(lines(2), Buffer.from('extra'))] as const
  for (let length = 1; length < b.length; length++)
    t.strictSame(await scan(dir, Buffer.concat([a, b.subarray(0, length)])), [1, `bad ${length}`])
})

t.test('garbage between members, and lines that are no records, are damage', async t => {
  const dir = t.testdir()
  const garbage = Buffer.from([0x1f, 0x8b, 8, 0xff, 1, 2, 3])
  t.strictSame(await scan(dir, Buffer.concat([member(lines(1)), garbage, member(lines(2))])), [1, 'bad 7', 2])
  t.strictSame(await scan(dir, member(`{"seq":1}\nnonsense\n{"seq":2}`)), [1, 'bad 8', 2])
})

t.test('a file no ring can have made is not unpacked', async t => {
  const dir = t.testdir()
  t.strictSame(await scan(dir, gzipSync(Buffer.alloc(8 * 1024 * 1024))), [
    `bad ${gzipSync(Buffer.alloc(8 * 1024 * 1024)).length}`,
  ])
  t.strictSame(await scan(dir, Buffer.alloc(5 * 1024 * 1024)), [`bad ${5 * 1024 * 1024}`])
})
