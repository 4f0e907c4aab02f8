/** Finds any number of short texts in a long one, in one pass over it: Aho and Corasick's automaton, as one table. */

export interface Needles {
  /**
   * Takes time in proportion to the text and to what is found, however many needles there are.
   *
   * @param found told of each occurrence, in the order in which they end: the needle's index, and the place behind it
   */
  search(text: string, found: (needle: number, end: number) => void): void
}

/** @param needles none of them empty; with `ignoreCase` in lower case, where only A to Z have another */
export function createNeedles(needles: readonly string[], { ignoreCase }: Readonly<{ ignoreCase: boolean }>): Needles {
  const columns = columnsOf(needles, ignoreCase)
  /** One column for each character of a needle, one for all others, and one that says what ends here. */
  const width = Math.max(0, ...columns) + 2
  const reports: (readonly number[])[] = [[]]
  const next = tableOf(needles, columns, width, reports)
  const reportColumn = width - 1

  return {
    search(text, found) {
      let row = 0
      for (let at = 0; at < text.length; at++) {
        row = next[row + columns[text.charCodeAt(at)]!]!
        const report = next[row + reportColumn]!
        if (report === 0) continue
        for (const needle of reports[report]!) found(needle, at + 1)
      }
    },
  }
}

/** The column of each UTF-16 code unit; 0 for what no needle holds. */
function columnsOf(needles: readonly string[], ignoreCase: boolean): Uint16Array {
  const columns = new Uint16Array(1 << 16)
  let count = 0
  for (const code of needles.flatMap(needle =>
    Array.from({ length: needle.length }, (_, at) => needle.charCodeAt(at)),
  )) {
    if (columns[code] !== 0) continue
    count += 1
    columns[code] = count
    if (ignoreCase && code >= 0x61 && code <= 0x7a) columns[code - 0x20] = count
  }
  return columns
}

/** Rows are told by where they begin, so that a step is one addition. */
function tableOf(
  needles: readonly string[],
  columns: Uint16Array,
  width: number,
  reports: (readonly number[])[],
): Int32Array {
  const rowsMax = 1 + needles.reduce((sum, needle) => sum + needle.length, 0)
  const table = new Int32Array(rowsMax * width)
  const ending = new Map<number, number[]>()
  let rows = 1
  for (const [index, needle] of needles.entries()) {
    let row = 0
    for (let at = 0; at < needle.length; at++) {
      const cell = row + columns[needle.charCodeAt(at)]!
      if (table[cell] === 0) table[cell] = rows++ * width
      row = table[cell]!
    }
    ending.set(row, [...(ending.get(row) ?? []), index])
  }
  link(table, width, ending, reports)
  return table.subarray(0, rows * width)
}

/** In order of depth, so that where a row falls back to is whole already. */
function link(table: Int32Array, width: number, ending: Map<number, number[]>, reports: (readonly number[])[]): void {
  const fallback = new Map<number, number>([[0, 0]])
  const queue = [0]
  for (let head = 0; head < queue.length; head++) {
    const row = queue[head]!
    const back = fallback.get(row)!
    const behind = row === 0 ? [] : reports[table[back + width - 1]!]!
    const ends = [...(ending.get(row) ?? []), ...behind]
    if (ends.length > 0) table[row + width - 1] = reports.push(ends) - 1
    for (let column = 0; column < width - 1; column++) {
      const to = table[row + column]!
      const otherwise = row === 0 ? 0 : table[back + column]!
      if (to === 0) {
        table[row + column] = otherwise
      } else {
        fallback.set(to, otherwise)
        queue.push(to)
      }
    }
  }
}
