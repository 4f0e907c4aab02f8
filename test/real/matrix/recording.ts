/** What of a row's records is kept, so that its verdict can be made again from it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parseRecord } from '../../../agent/evidence/read.js'
import type { LogRecord, RecordType } from '../../../agent/evidence/record.js'
import { type Row, slugOf } from './row.js'

export const recordingsDir = 'test/fixtures/matrix'

const kept: ReadonlySet<RecordType> = new Set(['start', 'stop', 'wire', 'sample', 'clock', 'episode'])

export const fileOf = (row: Row, dir = recordingsDir): string => join(dir, `${slugOf(row)}.ndjson.gz`)

export const recordingOf = (records: readonly LogRecord[]): string =>
  records
    .filter(({ type }) => kept.has(type))
    .map(record => `${JSON.stringify(record.type === 'start' ? anywhere(record) : record)}\n`)
    .join('')

/** On which kernel it was recorded is nobody's business. */
const anywhere = (record: LogRecord): LogRecord => ({
  ...record,
  data: { ...record.data, versions: { ...(record.data.versions as object), os: 'Linux' } },
})

/** @returns `null` where it was never recorded */
export function readRecording(row: Row): LogRecord[] | null {
  const file = fileOf(row)
  if (!existsSync(file)) return null
  return gunzipSync(readFileSync(file))
    .toString()
    .split('\n')
    .flatMap(line => (line === '' ? [] : (parseRecord(line) ?? [])))
}
