/** A megabyte made by an enemy costs a megabyte's work, and not its square. */
import t from 'tap'
import { scrubSignatures, type Text } from '../agent/scrub-signatures.js'

/** Counts how often a character is looked at. */
function looksAt(content: string): { looks: number; text: string } {
  let looks = 0
  const text: Text = {
    length: content.length,
    charCodeAt(at) {
      looks += 1
      return content.charCodeAt(at)
    },
    slice: (from, to) => content.slice(from, to),
  }
  const { text: scrubbed } = scrubSignatures(text)
  return { looks, text: scrubbed }
}

const enemies = [
  's',
  'si',
  'sig',
  'sig=',
  'sig=1',
  'sig=a',
  'sig%',
  'sig%25',
  'sig=a%25',
  'sig\\',
  'sig=\\',
  'sig\\u00',
  'sharedaccesske',
  'sharedaccesskey',
  'accountkeaccountkey%2525',
  '%25',
  '\\',
  'a',
  '=',
  'sig=%2B%',
]

t.test('work grows as the text does', async t => {
  for (const piece of enemies) {
    for (const [head, tail] of [
      ['', ''],
      ['sig=', ''],
      ['sig%', 'x'],
      ['sig\\', 'x'],
    ] as const) {
      const fill = (length: number) => head + piece.repeat(Math.ceil(length / piece.length)).slice(0, length) + tail
      const [half, whole] = [looksAt(fill(1 << 19)), looksAt(fill(1 << 20))]
      t.ok(whole.looks <= half.looks * 2.1, `${head}${piece}...: ${half.looks}, then ${whole.looks}`)
      t.ok(whole.looks <= 16 * (1 << 20), `${head}${piece}...: ${whole.looks / (1 << 20)} looks at a character`)
    }
  }
})

t.test('a secret in the last bytes of a megabyte is found', async t => {
  const noise = 'sig%25'.repeat(1 << 17)
  const { text } = looksAt(`${noise}sig=YWJjZA==`)
  t.equal(text, `${noise}sig=[removed:sas-signature]`)
})
