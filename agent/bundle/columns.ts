/** A sample as the cells of a table, and cells as CSV. */

export type Cell = string | number | boolean | null

const depthMax = 8

/**
 * Each value under the path that leads to it, as `interfaces.byName.eth0.rxBytes`. A list of plain values is one cell,
 * with spaces between them.
 */
export function columnsOf(data: Readonly<Record<string, unknown>>): [column: string, cell: Cell][] {
  return flatten('', data, 0)
}

function flatten(path: string, value: unknown, depth: number): [string, Cell][] {
  if (isCell(value)) return [[path, value]]
  if (typeof value !== 'object' || value === null || depth === depthMax) return []
  if (Array.isArray(value) && value.every(isCell)) return [[path, value.join(' ')]]
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(path === '' ? key : `${path}.${key}`, inner, depth + 1),
  )
}

const isCell = (value: unknown): value is Cell =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/**
 * One row as RFC 4180 has it, with its line end. A text that a spreadsheet would run as a formula gets an apostrophe in
 * front: the name of a network is a stranger's text.
 */
export const csvRow = (cells: readonly (Cell | undefined)[]): string => `${cells.map(csvCell).join(',')}\r\n`

function csvCell(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell !== 'string') return String(cell)
  const text = /^[\s\p{Cf}]*[=+\-@|%＝＋－＠]/u.test(cell) || /^[\t\r\n]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n;\t]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}
