import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { lineOverheadBytes, readLine, readSeq, seqMax, writeLine } from '../../agent/ring/line.js'
import { seedFrom, withSeq } from '../support/ring-records.js'

const line = (seq: number, json: string): Buffer => {
  const target = Buffer.alloc(Buffer.byteLength(json) + lineOverheadBytes)
  return target.subarray(0, writeLine(target, 0, seq, json))
}

t.test('a line is the checksum of the JSON, a space, the JSON with its number in front, and a newline', async t => {
  t.equal(line(1, '{"type":"log"}').toString(), '5917b184 {"seq":1,"type":"log"}\n')
  t.equal(line(7, '{}').toString(), 'f3d31beb {"seq":7}\n')
})

t.test('the checksum has eight digits even when it is small', async t => {
  const small = Array.from({ length: 2_000 }, (_, seq) => line(seq + 1, '{}').toString()).filter(text =>
    text.startsWith('0'),
  )
  t.ok(small.length > 0)
  for (const text of small) t.match(text, /^0[0-9a-f]{7} \{"seq":\d+\}\n$/)
})

t.test('what was written is read again, whatever is in it', async t => {
  const seed = seedFrom('RING_SEED')
  t.comment(`RING_SEED=${seed}`)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: seqMax }), fc.dictionary(fc.string(), fc.jsonValue()), (seq, data) => {
      const written = line(seq, JSON.stringify({ data }))
      const read = readLine(written.subarray(0, -1))
      return (
        read?.seq === seq &&
        read.json.toString() === withSeq(seq, JSON.stringify({ data })) &&
        written.indexOf('\n') === written.length - 1 &&
        written.indexOf(0) === -1
      )
    }),
    { seed, numRuns: 500 },
  )
})

t.test('a line with any bit changed is no line', async t => {
  const sound = line(1234, '{"type":"log","data":{"text":"ä"}}').subarray(0, -1)
  const taken: string[] = []
  for (let bit = 0; bit < sound.length * 8; bit++) {
    const changed = Buffer.from(sound)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    if (readLine(changed)) taken.push(changed.toString())
  }
  t.strictSame(taken, [])
})

t.test('a line that ends too early or is something else is no line', async t => {
  const sound = line(1234, '{"type":"log"}').subarray(0, -1)
  const starts = Array.from({ length: sound.length }, (_, length) => sound.subarray(0, length))
  t.strictSame(
    starts.filter(start => readLine(start)),
    [],
  )
  for (const text of [
    '{"a":1}',
    '{"seq":"1"}',
    '{"seq":0}',
    '{"seq":-1}',
    '{"seq":1.5}',
    '{"seq":}',
    '[1]',
    `{"seq":${seqMax}0}`,
  ])
    t.equal(readLine(Buffer.from(`${hex(text)} ${text}`)), null, text)
})

t.test('a number ends where a field begins or the record ends', async t => {
  t.equal(readSeq(Buffer.from('{"seq":12,"a":1}')), 12)
  t.equal(readSeq(Buffer.from('{"seq":12}')), 12)
  t.equal(readSeq(Buffer.from('{"seq":12')), null)
  t.equal(readSeq(Buffer.from('{"seq":12 }')), null)
})

function hex(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}
