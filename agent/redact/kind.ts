/** What a kind of secret is. To add one, write an entry into the list that it belongs to, in kinds/. */
import type { Page } from './characters.js'

export type Range = Readonly<{ start: number; end: number; quote?: string }>

export type Kind = Readonly<{
  /** What is said of it in its place, `[removed:<kind>]`; lower case and hyphens. */
  kind: string
  /** In lower case, found in any: without one of them there is no such secret. */
  anchors: readonly string[]
  /**
   * Where the secret is, if it is one. Asked again and again by a hostile text: looks at a bounded number of characters, or
   * asks the page.
   *
   * @param start of the anchor
   * @param end of the anchor
   */
  find(page: Page, start: number, end: number): Range | readonly Range[] | null
}>

/** No value is longer: what goes on is not one. */
export const valueMax = 4_096
