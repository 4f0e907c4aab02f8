/** docs/ring-format.md is for people without hubrec: what it tells them to type must print what it says. And old rings stay readable. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { verifyRing } from '../../agent/ring/verify.js'
import { collect, contentOf } from '../support/ring-records.js'

const fixture = 'test/fixtures/ring-1'
const document = readFileSync('docs/ring-format.md', 'utf8')

const examples = [...document.matchAll(/```console\n\$ ([\s\S]*?)```/g)].map(([, text]) => {
  const lines = (text ?? '').split('\n')
  // A command goes on until its quotes are closed; the rest is what it prints.
  let end = 1
  while ((lines.slice(0, end).join('\n').split("'").length - 1) % 2 === 1) end++
  return { command: lines.slice(0, end).join('\n'), output: lines.slice(end).join('\n') }
})

t.test('the commands of the document print what it says', async t => {
  t.equal(examples.length, 4)
  for (const { command, output } of examples) {
    const tool = command.split(' ')[0] ?? ''
    if (spawnSync('which', [tool]).status !== 0) t.pass(`${tool} is not on this machine: not tested`, { skip: true })
    else t.equal(spawnSync('sh', ['-c', command], { cwd: fixture, encoding: 'utf8' }).stdout, output, command)
  }
})

t.test('the record of what is damaged is the one of the document', async t => {
  const [health] = await collect(verifyRing(fixture))
  const said = /```json\n(\{[^`]*"status"[^`]*\})\n```/.exec(document)?.[1] ?? ''
  t.strictSame({ ...health, path: '00000000000000000001.log' }, JSON.parse(said))
})

t.test('a ring that the first version wrote is readable for ever', async t => {
  const { seqs, gaps, inferred } = await contentOf(fixture)
  t.strictSame(
    { seqs, gaps, inferred },
    {
      seqs: [1, 3, 4, 6, 7],
      gaps: [{ reason: 'damage', count: 1, fromSeq: 5, toSeq: 5 }],
      inferred: [{ kind: 'gap', fromSeq: 2, toSeq: 2, count: 1, segment: '00000000000000000001.log' }],
    },
  )
})
