import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createGunzip, gunzipSync } from 'node:zlib'
import t from 'tap'
import { exportRing } from '../../agent/ring/export.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { collect, recordJson, stamp } from '../support/ring-records.js'

t.test('the whole ring comes as one gzip file of its records, sealed segments as they lie there', async t => {
  const dir = t.testdir()
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  for (let id = 0; id < 1_000; id += 100)
    await Promise.all(Array.from({ length: 100 }, (_, n) => ring.append(recordJson(id + n, 100), 'kernel')))
  const live = await collect(exportRing(dir))
  await ring.close()

  const pieces = await collect(exportRing(dir))
  const records = (await collect(readRing(dir))).flatMap(item => (item.kind === 'record' ? `${item.json}\n` : []))
  t.equal(await text(Readable.from(pieces).pipe(createGunzip())), records.join(''))
  t.equal(gunzipSync(Buffer.concat(live)).toString(), records.join(''), 'beside its writer too')
  const sealed = readdirSync(dir).filter(name => name.endsWith('.gz'))
  t.ok(sealed.length > 3, `${sealed.length} sealed segments`)
  t.strictSame(
    sealed.map(name => pieces.some(piece => piece.equals(readFileSync(join(dir, name))))),
    sealed.map(() => true),
  )
})

t.test('an empty ring is an empty file, and none at all is an error', async t => {
  t.strictSame(await collect(exportRing(t.testdir())), [])
  await t.rejects(collect(exportRing(join(t.testdirName, 'missing'))), { code: 'RING_UNREADABLE' })
})
