/** Places in a text that are to be taken out. */

export type Span = Readonly<{
  kind: string
  /** Where that begins by which it is known to be one: a name, a scheme. At most `start`. */
  from: number
  start: number
  end: number
  /** What has to stand around what is put in its place, so that the text around it stays what it is. */
  quote?: string
}>

export type Replaced = Readonly<{ text: string; removed: Readonly<Record<string, number>> }>

/** Of spans that overlap one is made, of the kind of the one that begins first, and of those the longest. */
export function merged(spans: readonly Span[]): readonly Span[] {
  if (spans.length < 2) return spans
  const sorted = isSorted(spans) ? spans : [...spans].sort((a, b) => a.start - b.start || b.end - a.end)
  const whole: Span[] = []
  for (const span of sorted) {
    const last = whole.at(-1)
    if (last === undefined || span.start >= last.end) {
      whole.push(span)
      continue
    }
    const { from, end } = span
    whole[whole.length - 1] = { ...last, from: Math.min(from, last.from), end: Math.max(end, last.end) }
  }
  return whole
}

const isSorted = (spans: readonly Span[]): boolean =>
  spans.every(({ start }, index) => index === 0 || start > spans[index - 1]!.start)

/** @param spans as `merged` gives them */
export function replaced(text: string, spans: readonly Span[]): Replaced {
  if (spans.length === 0) return { text, removed: {} }
  const removed: Record<string, number> = {}
  const pieces: string[] = []
  let kept = 0
  for (const { kind, start, end, quote = '' } of spans) {
    pieces.push(text.slice(kept, start), `${quote}[removed:${kind}]${quote}`)
    removed[kind] = (removed[kind] ?? 0) + 1
    kept = end
  }
  pieces.push(text.slice(kept))
  return { text: pieces.join(''), removed }
}
