/** Redacts a text of any length piece by piece, whatever its secrets are cut by. */
import { StringDecoder } from 'node:string_decoder'
import { merged, type Replaced, replaced, type Span } from '../../transports/spans.js'
import type { Find } from './find.js'

/** No secret is longer, with what it is known by and however it is encoded: so much is kept back. */
export const keptCharacters = 48 << 10

/** So much goes out at once, at least. */
const pieceCharacters = 64 << 10

/**
 * @param source UTF-8, or text; cut anywhere
 * @throws what the source throws, after all that came before
 * @returns pieces of at most some 128 KiB, which end with a line where lines are not longer than that
 */
export async function* redactStream(
  source: AsyncIterable<Uint8Array | string>,
  find: Find,
  counted: (replaced: Replaced) => string,
): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let kept = ''
  let failure: unknown = null
  try {
    for await (const chunk of source) {
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk))
      // A chunk may be as long as its source likes.
      for (let at = 0; at < text.length; at += pieceCharacters) {
        kept += text.slice(at, at + pieceCharacters)
        if (kept.length < keptCharacters + pieceCharacters) continue
        const spans = merged(find(kept))
        const end = cutOf(kept, spans)
        const done = spans.filter(span => span.end <= end)
        yield counted(replaced(kept.slice(0, end), done))
        kept = kept.slice(end)
      }
    }
  } catch (error) {
    failure = error ?? new Error('unknown')
  }
  kept += decoder.end()
  if (kept !== '') yield counted(replaced(kept, merged(find(kept))))
  if (failure !== null) throw failure
}

/** Where no secret is cut in two, nor what it is known by cut off: at a line's end, if there is one. */
function cutOf(text: string, spans: readonly Span[]): number {
  const latest = text.length - keptCharacters
  const line = text.lastIndexOf('\n', latest) + 1
  const wanted = line > pieceCharacters / 4 ? line : latest
  let cut = wanted
  for (const { from, end } of [...spans].reverse()) if (from < cut && cut < end) cut = from
  // Text in which everything is part of one secret is not worth more.
  return cut > 0 ? cut : (spans.find(({ end }) => end >= wanted)?.end ?? wanted)
}
