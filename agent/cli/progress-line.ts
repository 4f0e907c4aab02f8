/** One line at the bottom of a terminal that says how far long work is, and goes away. None where nobody looks. */

export interface ProgressLine {
  show(text: string): void
  /** With a bar in front; `part` of `whole`. */
  showBar(part: number, whole: number, text: string): void
  end(): void
}

export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>

const barWidth = 20
/** A terminal over a serial line is slow, and eyes are too. */
const everyMs = 50

/** @param nowMs monotonic */
export function createProgressLine(
  terminal: Terminal = process.stderr,
  nowMs = (): number => performance.now(),
): ProgressLine {
  let shownMs = Number.NEGATIVE_INFINITY
  let lastBar = ''
  const show = (text: string): void => {
    if (terminal.isTTY) terminal.write(`\r\x1b[K${text.slice(0, (terminal.columns || 80) - 1)}`)
  }
  return {
    show,
    showBar(part, whole, text) {
      const done = Math.round((Math.min(part, whole) / Math.max(whole, 1)) * barWidth)
      const bar = `[${'#'.repeat(done)}${'-'.repeat(barWidth - done)}]`
      // What the bar says is shown at once, the rest now and then.
      if (bar === lastBar && nowMs() - shownMs < everyMs) return
      lastBar = bar
      shownMs = nowMs()
      show(`${bar} ${text}`)
    },
    end: () => show(''),
  }
}
