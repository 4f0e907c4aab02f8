/** `records.ndjson`: what `hubrec logs --json` prints. */
import { type InferredGap, type LogRecord, levels } from '../../evidence/record.js'
import { columnsOf } from '../columns.js'
import type { Part, PartContext, Seen } from '../part.js'
import { inPieces } from './pieces.js'

/** More are only counted: a ring with so many holes is known to be one. */
const gapsMax = 1_000

/** More columns than a spreadsheet is good for. */
const columnsMax = 500

export const records: Part = {
  name: 'records.ndjson',
  timeLimitMs: 300_000,
  content: context => inPieces(lines(context)),
}

async function* lines(context: PartContext): AsyncGenerator<string> {
  const planted = context.json(plantedRecord(context))
  // It takes the way of every record, and is shipped only if its secret was not taken out: then nothing is.
  if (planted.includes(context.plantedSecret)) yield `${planted}\n`
  for await (const record of context.records()) {
    remember(record, context.seen)
    yield `${context.json(record)}\n`
  }
}

const plantedRecord = ({ plantedSecret }: PartContext): object => ({
  level: levels.info,
  type: 'log',
  data: { msg: `the self-test says ${plantedSecret}`, [plantedSecret]: [plantedSecret] },
})

function remember(record: LogRecord | InferredGap, seen: Seen): void {
  // What was written down later than it happened stands behind records that are newer.
  if (record.level > levels.trace) seen.covered = { from: seen.covered?.from ?? record.at, to: record.at }
  if (record.type === 'gap') {
    if (seen.gaps.length < gapsMax) seen.gaps.push(record)
    else seen.gapsLeftOut += 1
  }
  if (record.type !== 'sample' || 'probes' in record.data) return
  for (const [column] of columnsOf(record.data)) {
    if (seen.sampleColumns.has(column)) continue
    if (seen.sampleColumns.size < columnsMax) seen.sampleColumns.add(column)
    else seen.columnsLeftOut += 1
  }
}
