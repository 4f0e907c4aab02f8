import t from 'tap'
import { createProgressLine } from '../../agent/cli/progress-line.js'

/** A terminal that remembers, and a clock that stands. */
const scene = (isTTY: boolean, columns = 80) => {
  const written: string[] = []
  const clock = { ms: 0 }
  const write = (text: string): boolean => written.push(text) > 0
  const line = createProgressLine({ isTTY, columns, write } as Parameters<typeof createProgressLine>[0], () => clock.ms)
  return { line, written, clock }
}

t.test('a bar says how far it is, in the width that there is, and goes away', async t => {
  const { line, written } = scene(true, 40)
  line.showBar(0, 8, 'records.ndjson, 0.0 MiB')
  line.showBar(4, 8, 'a part with a name that no terminal is wide enough for')
  line.showBar(9, 8, 'more than all')
  line.end()
  t.strictSame(written, [
    '\r\x1b[K[--------------------] records.ndjson, ',
    '\r\x1b[K[##########----------] a part with a na',
    '\r\x1b[K[####################] more than all',
    '\r\x1b[K',
  ])
})

t.test('what changes all the time is shown now and then, a longer bar at once', async t => {
  const { line, written, clock } = scene(true)
  for (let ms = 0; ms < 200; ms++) {
    clock.ms = ms
    line.showBar(1, 20, `${ms}`)
  }
  line.showBar(2, 20, 'next')
  t.strictSame(
    written.map(text => text.split('] ')[1]),
    ['0', '50', '100', '150', 'next'],
  )
})

t.test('nobody looks at a pipe', async t => {
  const { line, written } = scene(false)
  line.show('asking')
  line.showBar(1, 2, 'half')
  line.end()
  t.strictSame(written, [])
})
