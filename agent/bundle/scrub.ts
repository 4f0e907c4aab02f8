/** Makes a bundle of a bundle that holds less: for whoever may see some of it and not all. */

import { AgentError } from '../errors.js'
import { type RecordType, recordTypes } from '../evidence/record.js'
import type { Redactor } from '../redact.js'
import { type Entry, type Manifest, manifestName } from './manifest.js'
import { openBundle, verifyBundle } from './unzip.js'
import { createZip } from './zip.js'

export type ScrubOptions = Readonly<{
  source: string
  /** Another file than `source`. */
  file: string
  /** Record types, entries by their names, or folders of entries. */
  excluded: readonly string[]
  /** Of its own: what is found now was not known when the bundle was made. */
  redactor: Redactor
  /** Wall time. */
  nowMs: number
}>

/** What tells of records of a type in another form. */
const derived: Readonly<Partial<Record<RecordType, readonly string[]>>> = {
  sample: ['samples.csv'],
  episode: ['episodes.json'],
}

/** They tell of records of any type. */
const reports = ['report.json', 'report.html']

/**
 * Leaves out what is excluded, and whatever is made of it, and redacts the rest once more. Nothing is added but what its manifest
 * says of that. The file is there when the promise resolves, and none is left by a failure.
 *
 * @throws AgentError `USAGE` for what no bundle has, `BUNDLE_INVALID` for a source that is damaged
 */
export async function scrubBundle(options: ScrubOptions): Promise<Manifest> {
  const { source, file, excluded, redactor, nowMs } = options
  const bundle = await openBundle(source)
  const { manifest } = bundle
  const types = recordTypes.filter(type => excluded.includes(type))
  const unknown = excluded.filter(each => !isType(each) && !manifest.entries.some(({ name }) => isIn(name, each)))
  if (unknown.length > 0) throw new AgentError('USAGE', problemOf(unknown, manifest))
  for await (const { path, status, reason } of verifyBundle(source))
    if (status !== 'ok') throw new AgentError('BUNDLE_INVALID', `${path}: ${reason}`)

  const gone = (name: string): boolean =>
    excluded.some(each => isIn(name, each)) ||
    types.some(type => derived[type]?.includes(name)) ||
    (types.length > 0 && reports.includes(name))
  const zip = createZip(file, Date.parse(manifest.window.to))
  try {
    const entries: Entry[] = []
    for (const entry of manifest.entries.filter(({ name }) => !gone(name))) {
      const content =
        entry.name === 'records.ndjson'
          ? recordsOf(bundle, types, redactor)
          : redactor.stream(bundle.content(entry.name))
      entries.push({ ...entry, ...(await zip.add(entry.name, bytesOf(content))) })
    }
    const scrubbed: Manifest = {
      ...manifest,
      entries,
      gaps: types.includes('gap') ? [] : manifest.gaps,
      redactions: added(manifest.redactions, redactor.removed()),
      scrubbed: [
        ...(manifest.scrubbed ?? []),
        {
          at: new Date(nowMs).toISOString(),
          excluded,
          entriesLeftOut: manifest.entries.map(({ name }) => name).filter(gone),
        },
      ],
    }
    const text = `${JSON.stringify(JSON.parse(redactor.json(scrubbed)), null, 2)}\n`
    await zip.add(manifestName, bytesOf([text]))
    await zip.finish()
    return scrubbed
  } catch (error) {
    await zip.discard()
    throw error
  }
}

const isType = (name: string): boolean => (recordTypes as readonly string[]).includes(name)

/** An entry, or the folder that it lies in. */
const isIn = (name: string, excluded: string): boolean =>
  name === excluded || name.startsWith(`${excluded.replace(/\/$/, '')}/`)

function problemOf(unknown: readonly string[], { entries }: Manifest): string {
  const names = entries.map(({ name }) => name).join(', ')
  return `not in this bundle: ${unknown.join(', ')}; expected a record type (${recordTypes.join(', ')}), or of its entries: ${names}`
}

async function* recordsOf(
  { records }: Awaited<ReturnType<typeof openBundle>>,
  types: readonly RecordType[],
  { json }: Redactor,
): AsyncGenerator<string> {
  for await (const record of records()) if (!types.includes(record.type)) yield `${json(record)}\n`
}

async function* bytesOf(texts: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Buffer> {
  for await (const text of texts) yield Buffer.from(text)
}

function added(before: Manifest['redactions'], now: Manifest['redactions']): Manifest['redactions'] {
  const sum = { ...before }
  for (const [kind, count] of Object.entries(now)) sum[kind] = (sum[kind] ?? 0) + count
  return sum
}
