/** What is in a ZIP file, read by a reader that knows nothing of bundles. */
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import yauzl from 'yauzl'
import yazl from 'yazl'

export async function entriesOf(file: string): Promise<Map<string, Buffer>> {
  const zip = await yauzl.openPromise(file)
  const entries = new Map<string, Buffer>()
  for await (const entry of zip.eachEntry()) {
    const chunks: Buffer[] = []
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk)
    entries.set(entry.fileName, Buffer.concat(chunks))
  }
  return entries
}

/** Where the compressed bytes of each entry lie in the file. */
export async function placesOf(file: string): Promise<(readonly [name: string, from: number, to: number])[]> {
  const zip = await yauzl.openPromise(file)
  const places: (readonly [string, number, number])[] = []
  for await (const entry of zip.eachEntry()) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry)
    places.push([entry.fileName, fileDataStart, fileDataStart + entry.compressedSize])
  }
  return places
}

export async function writeZip(
  file: string,
  entries: readonly (readonly [name: string, content: string | Buffer])[],
): Promise<void> {
  const zip = new yazl.ZipFile()
  for (const [name, content] of entries) zip.addBuffer(Buffer.from(content), name)
  zip.end()
  await finished(zip.outputStream.pipe(createWriteStream(file)))
}
