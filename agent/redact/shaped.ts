/** Values that are secrets because of what they look like themselves. */
import { alphanumeric, base64, isOf, oneSortEnd, type Page } from './characters.js'
import { type Kind, type Range, valueMax } from './kind.js'
import { isPlaceholder } from './values.js'

export type PrefixedOptions = Readonly<{
  /** Of what the rest is made: bits of characters.ts. */
  of: number
  /** Characters of the rest, at least. */
  min: number
  /** The prefix is short enough to be the end of other words. */
  wholeWord?: boolean
  /** It may be made of capital letters alone. */
  capitals?: boolean
}>

/** A token that says by its head what it is. @param prefixes in the case in which they are written */
export function prefixed(
  kind: string,
  prefixes: readonly string[],
  { of, min, wholeWord = false, capitals = false }: PrefixedOptions,
): Kind {
  return {
    kind,
    anchors: [...new Set(prefixes.map(prefix => prefix.toLowerCase()))],
    find(page, start, headEnd) {
      const { text } = page
      if (wholeWord && isOf(text, start - 1, alphanumeric)) return null
      if (!prefixes.some(prefix => prefix.length === headEnd - start && text.startsWith(prefix, start))) return null
      if (page.runEnd(headEnd, of) - headEnd < min) return null
      const end = Math.min(tokenEnd(page, headEnd, of), start + valueMax)
      return end - headEnd >= min && (capitals || isVaried(page, headEnd, end)) && !isPlaceholder(text, headEnd, end)
        ? { start, end }
        : null
    },
  }
}

/** Dots and hyphens at the end are the sentence's. */
function tokenEnd(page: Page, at: number, mask: number): number {
  const { text } = page
  let end = page.runEnd(at, mask)
  while (end > at && (text[end - 1] === '.' || text[end - 1] === '-') && at < end) end--
  return end
}

/** Of more than one sort of characters, as words are not. */
export const isVaried = (page: Page, start: number, end: number): boolean => page.reach(start, oneSortEnd) < end

/** A key of Azure's that says in its middle what it is, at a place that is always the same. */
export function identifiable(kind: string, signatures: readonly string[], before: number, after: number): Kind {
  return {
    kind,
    anchors: signatures.map(signature => signature.toLowerCase()),
    find(page, at, end) {
      const { text } = page
      if (!signatures.includes(text.slice(at, end))) return null
      const start = at - before
      if (start < 0 || isOf(text, start - 1, base64) || page.runEnd(start, base64) < end + after) return null
      return { start, end: withPadding(text, end + after) }
    },
  }
}

export function withPadding(text: string, end: number): number {
  let at = end
  while (text[at] === '=' && at - end < 2) at++
  return at
}

/** What stands between two texts, as far as it is made of these characters. */
export function between(kind: string, anchors: readonly string[], of: number, min: number): Kind {
  return {
    kind,
    anchors,
    find(page, _start, end): Range | null {
      const stop = Math.min(page.runEnd(end, of), end + valueMax)
      return stop - end >= min && !isPlaceholder(page.text, end, stop) ? { start: end, end: stop } : null
    },
  }
}
