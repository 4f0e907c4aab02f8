/** A file that holds a secret: read whole, with a limit, and never repeated in what is said about it. */
import { open } from 'node:fs/promises'

/** The longest chain of certificates is a few pages. */
const bytesMax = 256 << 10

export type Read = Readonly<{ text: string }> | Readonly<{ problem: string }>

/**
 * Without a byte order mark, and without white space around it: editors and shells leave both.
 *
 * @param place the setting that names the file
 * @param expected what should be in it, for the problem
 */
export async function readSecretFile(place: string, path: string, expected: string): Promise<Read> {
  const wrong = (found: string): Read => ({ problem: `${place}: ${path}: ${found}; expected ${expected}` })
  let bytes: Buffer
  try {
    bytes = await readBounded(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    return wrong(code === 'EISDIR' ? 'found a directory' : `cannot be read: ${code}`)
  }
  if (bytes.length > bytesMax) return wrong(`found more than ${bytesMax} bytes`)
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return wrong('found UTF-16')
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim()
  if (text === '') return wrong('found an empty file')
  if (text.includes('\0')) return wrong('found a NUL byte')
  return { text }
}

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const chunks: Buffer[] = []
    for await (const chunk of file.createReadStream({ end: bytesMax, autoClose: false })) chunks.push(chunk)
    return Buffer.concat(chunks)
  } finally {
    await file.close()
  }
}
