/** A report as the text of report.json: one row on each line. */
import { type ReportPiece, reportFormat } from './report.js'

/**
 * @param write a value as JSON on one line
 * @returns pieces of whole lines, which together are one object
 */
export async function* reportJson(
  pieces: AsyncIterable<ReportPiece>,
  write: (value: unknown) => string = JSON.stringify,
): AsyncGenerator<string> {
  let open: string | null = null
  let rows = 0
  for await (const piece of pieces) {
    const { section } = piece
    const isNew = section !== open
    let text = open === null ? `{\n"format":${write(reportFormat)}` : ''
    if (isNew) {
      text += `${endOf(open, rows)},\n"${section}":`
      rows = 0
    }
    if ('value' in piece) text += `\n${write(piece.value)}`
    else {
      if (isNew) text += '['
      for (const row of piece.rows) {
        text += `${rows === 0 ? '' : ','}\n${write(row)}`
        rows += 1
      }
    }
    open = section
    // Not after the loop: where something failed there is nothing more to come.
    yield section === 'summary' ? `${text}\n}\n` : text
  }
}

const endOf = (section: string | null, rows: number): string =>
  section === null || section === 'head' ? '' : rows === 0 ? ']' : '\n]'
