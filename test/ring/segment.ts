import t from 'tap'
import {
  filesMaxOf,
  readName,
  sealedName,
  segmentBytesOf,
  segmentName,
  segmentOrder,
} from '../../agent/ring/segment.js'

t.test('a name tells what a file is, and with which number a segment begins', async t => {
  t.equal(segmentName(42), '00000000000000000042.log')
  t.strictSame(readName(segmentName(42)), { kind: 'segment', name: segmentName(42), firstSeq: 42, sealed: false })
  const sealed = '00000000000000000042.ndjson.gz'
  t.equal(sealedName(42), sealed)
  t.strictSame(readName(sealed), { kind: 'segment', name: sealed, firstSeq: 42, sealed: true })
  const kinds = [
    '00000000000000000042.idx',
    '00000000000000000042.log.tmp',
    '00000000000000000042.ndjson.gz.tmp',
    '00000000000000000042.log.bad',
    'probe.tmp',
    '00000000000000000000.log',
    '10000000000000000000.log',
    '42.log',
    'notes.txt',
  ].map(name => {
    const read = readName(name)
    return [read.kind, 'firstSeq' in read ? read.firstSeq : undefined]
  })
  t.strictSame(kinds, [
    ['index', 42],
    ['temporary', 42],
    ['temporary', 42],
    ['quarantined', 42],
    ['temporary', null],
    ['absurd', undefined],
    ['absurd', undefined],
    ['foreign', undefined],
    ['foreign', undefined],
  ])
})

t.test('segments are ordered by their numbers, the text before its sealed copy', async t => {
  const names = ['00000000000000000100.log', '00000000000000000099.ndjson.gz', '00000000000000000099.log']
  const segments = names.map(readName).filter(name => name.kind === 'segment')
  t.strictSame(
    segments.sort(segmentOrder).map(({ name }) => name),
    [names[2], names[1], names[0]],
  )
})

t.test('a segment is a 32nd of the budget, between 16 KiB and 512 KiB', async t => {
  t.strictSame(
    [262_144, 524_288, 1 << 20, 16 << 20, 64 << 20].map(segmentBytesOf),
    [16_384, 16_384, 32_768, 524_288, 524_288],
  )
})

t.test('there are 512 files at the default budget, and as many as their sizes need at others', async t => {
  t.strictSame([262_144, 524_288, 1 << 20, 16 << 20, 64 << 20].map(filesMaxOf), [256, 512, 512, 512, 2_048])
})
