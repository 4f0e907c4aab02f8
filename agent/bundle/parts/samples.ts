/** `samples.csv`: one row for each sample, one column for each field that any of them has, in an order that stays. */
import { columnsOf, csvRow } from '../columns.js'
import type { Part, PartContext } from '../part.js'
import { inPieces } from './pieces.js'

const stampColumns = ['seq', 'at', 'monoMs', 'bootId'] as const

export const samples: Part = {
  name: 'samples.csv',
  timeLimitMs: 300_000,
  content: context => inPieces(rows(context)),
  shortcoming: ({ seen }) =>
    seen.columnsLeftOut > 0 ? `${seen.columnsLeftOut} values of further columns were left out` : null,
}

async function* rows({ records, seen, json, text }: PartContext): AsyncGenerator<string> {
  const columns = [...seen.sampleColumns].sort()
  // Redacted as a whole too: a field's name may hold what a value may.
  yield text(csvRow([...stampColumns, ...columns]))
  for await (const record of records(['sample'])) {
    // What probes were answered is no reading: it stands in the records.
    if (!('seq' in record) || 'probes' in record.data) continue
    const { seq, at, monoMs, bootId } = record
    const cells = new Map(columnsOf(JSON.parse(json(record.data))))
    yield text(csvRow([seq, at, monoMs, bootId, ...columns.map(column => cells.get(column))]))
  }
}
