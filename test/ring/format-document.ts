/** docs/ring-format.md is for people without hubrec: what it tells them to type must print what it says. And old rings stay readable. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { verifyRing } from '../../agent/ring/verify.js'
import { collect, contentOf } from '../support/ring-records.js'

const document = readFileSync('docs/ring-format.md', 'utf8')

/** Each part of the document that has commands names the ring they are typed in. */
const examples = document.split('\n## ').flatMap(part => {
  const fixture = /test\/fixtures\/ring-\d/.exec(part)?.[0]
  return [...part.matchAll(/```console\n\$ ([\s\S]*?)```/g)].map(([, text]) => {
    const lines = (text ?? '').split('\n')
    // A command goes on until its quotes are closed; the rest is what it prints.
    let end = 1
    while ((lines.slice(0, end).join('\n').split("'").length - 1) % 2 === 1) end++
    return { fixture, command: lines.slice(0, end).join('\n'), output: lines.slice(end).join('\n') }
  })
})

t.test('the commands of the document print what it says', async t => {
  t.equal(examples.length, 7)
  for (const { fixture, command, output } of examples) {
    const tool = command.split(' ')[0] ?? ''
    if (spawnSync('which', [tool]).status !== 0) t.pass(`${tool} is not on this machine: not tested`, { skip: true })
    else t.equal(spawnSync('sh', ['-c', command], { cwd: fixture ?? '', encoding: 'utf8' }).stdout, output, command)
  }
})

t.test('the record of what is damaged is the one of the document', async t => {
  const [health] = await collect(verifyRing('test/fixtures/ring-1'))
  const said = /```json\n(\{[^`]*"status"[^`]*\})\n```/.exec(document)?.[1] ?? ''
  t.strictSame({ ...health, path: '00000000000000000001.log' }, JSON.parse(said))
})

t.test('a ring that the first version wrote is readable for ever', async t => {
  const { seqs, gaps, inferred } = await contentOf('test/fixtures/ring-1')
  t.strictSame(
    { seqs, gaps, inferred },
    {
      seqs: [1, 3, 4, 6, 7],
      gaps: [{ reason: 'damage', count: 1, fromSeq: 5, toSeq: 5 }],
      inferred: [{ kind: 'gap', fromSeq: 2, toSeq: 2, count: 1, segment: '00000000000000000001.log' }],
    },
  )
})

t.test('a ring with sealed, thinned and damaged segments is readable for ever', async t => {
  const dir = 'test/fixtures/ring-2'
  const { contexts, gaps, inferred, items } = await contentOf(dir)
  const episodes = items.flatMap(item => {
    const { type, data } = item.kind === 'record' ? JSON.parse(item.json) : { type: 'gap', data: null }
    return type === 'episode' ? [`${item.kind === 'record' && item.seq} ${data.id}`] : []
  })
  t.strictSame(
    { contexts: [...contexts.keys()], episodes, gaps, inferred, records: items.length },
    {
      contexts: [1, 314, 392, 471, 509],
      episodes: ['58 e1', '114 e2', '171 e3', '228 e4', '288 e5', '345 e6', '403 e7', '519 e9'],
      gaps: [
        { reason: 'overflow', count: 34, fromSeq: 235, toSeq: 273 },
        { reason: 'overflow', count: 30, fromSeq: 314, toSeq: 352 },
        { reason: 'overflow', count: 33, fromSeq: 353, toSeq: 391 },
      ],
      inferred: [{ kind: 'gap', fromSeq: 431, toSeq: 470, count: 40, segment: '00000000000000000431.ndjson.gz' }],
      records: 167,
    },
  )
  t.strictSame(
    (await collect(verifyRing(dir))).map(({ status, records, lost }) => ({ status, records, lost })),
    [
      { status: 'ok', records: 62, lost: 0 },
      { status: 'ok', records: 15, lost: 0 },
      { status: 'ok', records: 39, lost: 0 },
      { status: 'damaged', records: 0, lost: 40 },
      { status: 'ok', records: 38, lost: 0 },
      { status: 'ok', records: 12, lost: 0 },
    ],
  )
})
