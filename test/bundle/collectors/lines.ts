import t from 'tap'
import { newestRedactedLines, redactedLines } from '../../../agent/bundle/collectors/lines.js'
import { createRedactor } from '../../../agent/redact.js'
import { createSecrets } from '../../../transports/secrets.js'

async function* inChunks(text: string, chunkBytes: number, failure?: Error): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  if (failure) throw failure
}

const { stream: textStream } = createRedactor(createSecrets(), [
  text =>
    [...text.matchAll(/secret/g)].map(({ index }) => ({ kind: 'gone', from: index, start: index, end: index + 6 })),
])
const context = { textStream }

/** All that came, and how it ended. */
const outcome = async (pieces: AsyncIterable<string>) => {
  let text = ''
  try {
    for await (const piece of pieces) text += piece
    return { text, ended: null }
  } catch (error) {
    return { text, ended: (error as Error).message }
  }
}

t.test('lines come whole and redacted, however their bytes arrive', async t => {
  const text = 'a secret\nä€😀 secret\n\r\n\nthe last has no end, secret'
  for (const chunkBytes of [1, 2, 3, 7, 1_000]) {
    t.strictSame(await outcome(redactedLines(inChunks(text, chunkBytes), 1_000, context)), {
      text: text.replaceAll('secret', '[removed:gone]'),
      ended: null,
    })
    t.strictSame(await outcome(newestRedactedLines(inChunks(text, chunkBytes), 1_000, context)), {
      text: text.replaceAll('secret', '[removed:gone]'),
      ended: null,
    })
  }
  const broken = async function* () {
    yield Buffer.from([0x61, 0xff, 0xc3, 0x0a])
  }
  t.strictSame(await outcome(redactedLines(broken(), 100, context)), { text: 'a\ufffd\ufffd\n', ended: null })
})

t.test('more than fits is cut between two lines, at the end or at the beginning', async t => {
  const text = 'one\ntwo\nthree\n'
  for (const chunkBytes of [1, 4, 100]) {
    t.strictSame(await outcome(redactedLines(inChunks(text, chunkBytes), 9, context)), {
      text: 'one\ntwo\n',
      ended: 'cut after 9 bytes, which is all it may have',
    })
    for (const [bytesMax, kept] of [
      [14, text],
      [13, 'two\nthree\n'],
      [10, 'two\nthree\n'],
      [9, 'three\n'],
      [5, ''],
    ] as const) {
      t.strictSame(await outcome(newestRedactedLines(inChunks(text, chunkBytes), bytesMax, context)), {
        text: kept,
        ended: kept === text ? null : `only the newest ${bytesMax} bytes, which is all it may have`,
      })
    }
  }
})

t.test('what came before a failure is kept, and the failure is told', async t => {
  const failure = new Error('the program hangs')
  for (const lines of [redactedLines, newestRedactedLines]) {
    t.strictSame(await outcome(lines(inChunks('one\ntwo\n', 3, failure), 100, context)), {
      text: 'one\ntwo\n',
      ended: 'the program hangs',
    })
  }
})

t.test(
  'a line that is longer than any that one reads is left out whole, because half a secret is not known',
  async t => {
    const long = 'x'.repeat(300_000)
    for (const chunkBytes of [10_000, 1_000_000]) {
      t.strictSame(await outcome(redactedLines(inChunks(`a\n${long}\nb\n${long}`, chunkBytes), 1_000_000, context)), {
        text: 'a\n[a line of 300001 characters was left out]\nb\n[a line of 300000 characters was left out]\n',
        ended: null,
      })
    }
  },
)
