/** Finds every secret in a text: those that are known by their value, and those that are known by their shape. */
import { createNeedles, type Needles } from '../../transports/needles.js'
import type { Span } from '../../transports/spans.js'
import { decodedIn } from './base64.js'
import { createPage, type Page } from './characters.js'
import type { Kind } from './kind.js'
import { kinds } from './kinds.js'
import { unescaped } from './unescape.js'

export type Find = (text: string) => Span[]

/** So often may be decoded what came out of base64. */
const depthMax = 2

/**
 * Takes time in proportion to the text, whatever it holds.
 *
 * @param own finds what is known by its value
 */
export function createFind(own: Find): Find {
  const plain = (text: string): Span[] => [...own(text), ...kindsIn(text)]

  const find = (text: string, depth: number): Span[] => {
    const spans = plain(text)
    const view = unescaped(text)
    if (view !== null) {
      const { places } = view
      const place = (at: number): number => places[at]!
      for (const { kind, from, start, end } of plain(view.text))
        spans.push({ kind, from: place(from), start: place(start), end: place(end) })
    }
    if (depth === depthMax) return spans
    for (const decoded of decodedIn(view?.text ?? text)) {
      for (const { kind, from, start, end } of find(decoded.text, depth + 1)) {
        const whole = decoded.placeOf(from, end)
        const place = decoded.placeOf(start, end)
        const placeOf = (at: number): number => view?.places[at] ?? at
        spans.push({ kind, from: placeOf(whole.start), start: placeOf(place.start), end: placeOf(place.end) })
      }
    }
    return spans
  }
  return text => find(text, 0)
}

type Anchors = Readonly<{
  needles: Needles
  places: readonly Readonly<{ kind: Kind; index: number; length: number }>[]
}>

let anchors: Anchors | null = null

/** Made when the first text is looked at: not every process has one. */
function anchorsOf(): Anchors {
  const places = kinds.flatMap((kind, index) => kind.anchors.map(anchor => ({ kind, index, length: anchor.length })))
  return {
    needles: createNeedles(
      kinds.flatMap(({ anchors }) => anchors),
      { ignoreCase: true },
    ),
    places,
  }
}

function kindsIn(text: string): Span[] {
  anchors ??= anchorsOf()
  const { needles, places } = anchors
  const found: Span[] = []
  let page: Page | null = null
  /** Of each kind, how far it has taken out already. */
  const doneTo: number[] = []
  needles.search(text, (needle, anchorEnd) => {
    const { kind, index, length } = places[needle]!
    const from = anchorEnd - length
    if (from < (doneTo[index] ?? 0)) return
    page ??= createPage(text)
    const ranges = kind.find(page, from, anchorEnd)
    if (ranges === null) return
    for (const range of Array.isArray(ranges) ? ranges : [ranges]) {
      found.push({ kind: kind.kind, from: Math.min(from, range.start), ...range })
      doneTo[index] = Math.max(doneTo[index] ?? 0, range.end)
    }
  })
  return found
}
