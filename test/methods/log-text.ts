import { join } from 'node:path'
import t from 'tap'
import { logText } from '../../agent/methods/log-text.js'
import { createPatterns } from '../../agent/methods/pattern.js'
import { createRedactor } from '../../agent/redact.js'
import { openRing } from '../../agent/ring/open.js'
import { createSecrets } from '../../transports/secrets.js'
import { draftOf, type Line, storyStartMs } from '../support/recorded-ring.js'

const numbered = (from: number, count: number): readonly Line[] =>
  Array.from({ length: count }, (_, n) => ({ atS: (from + n) / 1e3, type: 'log', data: { msg: `line ${from + n}` } }))

t.test(
  'a tail is of the records that were there when it was asked for, however many come while it is read',
  async t => {
    const ringDir = join(t.testdir(), 'ring')
    const stamp = () => ({ at: new Date(storyStartMs).toISOString(), bootId: 'boot-1', monoMs: 0 })
    const { ring } = await openRing({ dir: ringDir, budgetBytes: 16 << 20, stamp })
    t.teardown(() => ring.close())
    const append = (lines: readonly Line[]) =>
      Promise.all(lines.map(line => ring.append(JSON.stringify(draftOf(line)), 'kernel')))
    await append(numbered(0, 300))

    const device = { hub: null, deviceId: 'gate', moduleId: null }
    const source = { ringDir, redactor: createRedactor(createSecrets()), device, patterns: createPatterns() }
    const filter = { window: {}, tail: 200, loglevel: null, regex: null }
    const text = logText(filter, 'text', source)
    const lines = [(await text.next()).value]
    await append(numbered(300, 150))
    for await (const line of text) lines.push(line)
    t.strictSame(
      lines.map(line => /line \d+/.exec(line)?.[0]),
      numbered(100, 200).map(({ data }) => (data as { msg: string }).msg),
    )
    const none: string[] = []
    for await (const piece of logText({ ...filter, tail: 0 }, 'json', source)) none.push(piece)
    t.strictSame(none, ['[]'])
  },
)
