/** Bytes from outside as whole lines, redacted, never more than there is room for. */
import { StringDecoder } from 'node:string_decoder'
import type { PartContext } from '../part.js'

/** A line that is longer is left out whole: cut, it might show half a secret that nobody knows by its half. */
const lineCharactersMax = 256 << 10

/**
 * Pieces of whole lines, as many as fit into `bytesMax` bytes. Bytes that are no UTF-8 become replacement characters.
 *
 * @throws Error after the last line that fits; what `chunks` throws, after the last whole line before that
 */
export async function* redactedLines(
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
  { textStream }: Pick<PartContext, 'textStream'>,
): AsyncGenerator<string> {
  yield* textStream(linesWithin(chunks, bytesMax))
}

async function* linesWithin(chunks: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string> {
  let bytes = 0
  for await (const line of linesOf(chunks)) {
    bytes += Buffer.byteLength(line)
    if (bytes > bytesMax) throw new Error(`cut after ${bytesMax} bytes, which is all it may have`)
    yield line
  }
}

/** The same of the newest lines: what was before them is dropped, and told at the end, whatever ends it. */
export async function* newestRedactedLines(
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
  context: Pick<PartContext, 'textStream'>,
): AsyncGenerator<string> {
  const kept: Buffer[] = []
  let bytes = 0
  let failure: unknown = null
  try {
    for await (const chunk of chunks) {
      kept.push(chunk)
      bytes += chunk.length
      // One byte more than there is room for tells whether a line begins there.
      while (bytes - (kept[0]?.length ?? 0) > bytesMax) bytes -= kept.shift()?.length ?? 0
    }
  } catch (error) {
    failure = error
  }
  yield* redactedLines(newestOf(kept, bytes - bytesMax), Number.POSITIVE_INFINITY, context)
  if (failure !== null) throw failure
  if (bytes > bytesMax) throw new Error(`only the newest ${bytesMax} bytes, which is all it may have`)
}

/** From the first line on that begins at `from` or after it. */
async function* newestOf(chunks: readonly Buffer[], from: number): AsyncGenerator<Buffer> {
  let isBegun = from <= 0
  let before = 0
  for (const chunk of chunks) {
    const lineEnd = isBegun ? -1 : chunk.indexOf(0x0a, Math.max(0, from - 1 - before))
    before += chunk.length
    if (isBegun) yield chunk
    else if (before >= from && lineEnd !== -1) {
      isBegun = true
      yield chunk.subarray(lineEnd + 1)
    }
  }
}

/** Each with its end; the last one may have none. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let carry = ''
  let leftOut = 0
  const finish = (line: string): string => {
    if (leftOut + line.length <= lineCharactersMax) return line
    const said = `[a line of ${leftOut + line.length} characters was left out]\n`
    leftOut = 0
    return said
  }
  for await (const chunk of chunks) {
    const text = carry + decoder.write(chunk)
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      yield finish(text.slice(start, end + 1))
      start = end + 1
    }
    carry = text.slice(start)
    if (carry.length <= lineCharactersMax && leftOut === 0) continue
    leftOut += carry.length
    carry = ''
  }
  const rest = carry + decoder.end()
  if (leftOut + rest.length > 0) yield finish(rest)
}
