import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { realDisk } from '../../agent/ring/disk.js'
import { memberTextBytes, readHeader, readMember } from '../../agent/ring/member.js'
import { indexIn } from '../../agent/ring/members.js'
import { scanSegment } from '../../agent/ring/scan.js'
import { type Sealed, Sealer } from '../../agent/ring/seal.js'
import { collect } from '../support/ring-records.js'

const second = (seq: number): string => new Date(Date.UTC(2026, 10, 25) + seq * 1e3).toISOString()

const record = (seq: number, type = 'log', paddingBytes = 0): string =>
  JSON.stringify({ seq, at: second(seq), type, data: { x: `${seq} `.repeat(paddingBytes / 4) } })

const seal = (records: readonly string[]): Promise<Sealed> => {
  const sealer = new Sealer(9)
  for (const json of records) sealer.add(JSON.parse(json).seq, Buffer.from(json))
  const seqs = records.map(json => JSON.parse(json).seq as number)
  return sealer.finish({ firstSeq: seqs[0] ?? 0, lastSeq: seqs.at(-1) ?? 0, thinned: false })
}

const textOf = (records: readonly string[]): string => records.map(json => `${json}\n`).join('')
const bytesOf = ({ pieces }: Sealed): Buffer => Buffer.concat(pieces)

const many = Array.from({ length: 900 }, (_, n) => record(n + 5, n % 300 === 7 ? 'episode' : 'wire', 400))

t.test('a sealed segment is a gzip file of its lines, for whoever reads such files', async t => {
  const bytes = bytesOf(await seal(many))
  t.equal(gunzipSync(bytes).toString(), textOf(many))
  const path = join(t.testdir(), 'segment.ndjson.gz')
  writeFileSync(path, bytes)
  for (const [tool, ...args] of [
    ['zcat'],
    ['python3', '-c', 'import gzip,sys; print(gzip.open(sys.argv[1],"rt").read(),end="")'],
  ]) {
    const { stdout, error } = spawnSync(tool ?? '', [...args, path], { encoding: 'utf8', maxBuffer: 1 << 24 })
    if (error) t.comment(`${tool} is not on this machine: not tested`)
    else t.ok(stdout === textOf(many), `${tool}`)
  }
})

t.test('its members are of whole lines and at most 64 KiB of text, and stand one by one', async t => {
  const { pieces, index } = await seal([...many, record(2_000, 'log', 200_000), record(2_001)])
  const texts = await Promise.all(pieces.map(async piece => (await readMember(piece, 0))?.text.toString() ?? ''))
  t.equal(texts.join(''), textOf([...many, record(2_000, 'log', 200_000), record(2_001)]))
  t.strictSame(
    texts.map(text => text.endsWith('\n') && (text.length <= memberTextBytes || text.split('\n').length === 2)),
    texts.map(() => true),
    'unless one record is longer',
  )
  t.strictSame(
    pieces.map(piece => readHeader(piece, 0)?.range),
    index.members.map(({ bytes, firstSeq, lastSeq }) => ({ bytes, firstSeq, lastSeq })),
  )
})

t.test('its index says what is in it', async t => {
  const records = [record(5, 'context'), record(7, 'wire'), '{"seq":8}', record(9, 'wire')]
  const gap = '{"seq":11,"at":"x","type":"gap","data":{"reason":"damage","count":1,"fromSeq":10,"toSeq":10}}'
  const { index, bytes, pieces } = await seal([...records, gap])
  t.strictSame(index, {
    firstSeq: 5,
    lastSeq: 11,
    thinned: false,
    types: {
      context: { records: 1, textBytes: records[0]!.length + 1 },
      wire: { records: 2, textBytes: records[1]!.length + records[3]!.length + 2 },
      '': { records: 1, textBytes: 10 },
      gap: { records: 1, textBytes: gap.length + 1 },
    },
    gaps: [{ reason: 'damage', count: 1, fromSeq: 10, toSeq: 10 }],
    members: [
      {
        bytes: pieces[0]!.length,
        firstSeq: 5,
        lastSeq: 11,
        records: 5,
        // One of its records tells no time, so nobody may conclude from times that it is not wanted.
        minAtMs: null,
        maxAtMs: null,
        types: ['context', 'wire', '', 'gap'],
      },
    ],
  })
  t.equal(bytes, pieces[0]!.length)
  const path = join(t.testdir(), 'segment')
  writeFileSync(path, pieces[0]!)
  t.strictSame(await indexIn(realDisk, path), index, 'and is read as it was made')
  const timed = await seal(many)
  t.strictSame(
    [timed.index.members[0]?.minAtMs, timed.index.members.at(-1)?.maxAtMs],
    [Date.parse(second(5)), Date.parse(second(904))],
  )
})

t.test(
  'an index that is not sound, or does not fit the file, is not believed, and the members are read all the same',
  async t => {
    const bytes = bytesOf(await seal(many))
    const path = join(t.testdir(), 'segment')
    const seqs = many.map(json => JSON.parse(json).seq)
    const read = async (changed: Buffer) => {
      writeFileSync(path, changed)
      const items = (await collect(scanSegment(realDisk, path, true))).flat()
      return {
        index: await indexIn(realDisk, path),
        seqs: items.flatMap(item => (item.kind === 'line' ? item.seq : [])),
      }
    }
    const flipped = Buffer.from(bytes)
    flipped[flipped.indexOf('"members"') + 2]! ^= 1
    t.strictSame(await read(flipped), { index: null, seqs })
    const last = bytesOf(await seal([record(9_000)]))
    t.strictSame(await read(Buffer.concat([bytes, last])), { index: null, seqs: [...seqs, 9_000] })
  },
)

t.test('so many types that their index has no room in a header are sealed without one', async t => {
  const records = Array.from({ length: 4_000 }, (_, n) => record(n + 1, `type-${n}-${'x'.repeat(20)}`))
  const { pieces, index } = await seal(records)
  t.equal(Object.keys(index.types).length, 4_000)
  t.equal(readHeader(pieces[0]!, 0)?.index, null)
  t.equal(gunzipSync(Buffer.concat(pieces)).toString(), textOf(records))
})
