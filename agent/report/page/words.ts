/** How values and foreign texts read on the page. */
import { html, type TemplateResult } from 'lit-html'

/** A text is a stranger's, and may be a megabyte. */
const textMax = 4_000

export const clipped = (text: string): string =>
  text.length > textMax ? `${text.slice(0, textMax)}... (and ${text.length - textMax} characters more)` : text

/** A text from the device: it keeps the direction of its writing to itself. */
export const told = (text: unknown): TemplateResult => html`<bdi>${clipped(plain(text))}</bdi>`

/** A sentence of advice, in which commands stand between backticks. */
export const prose = (text: unknown): TemplateResult =>
  html`<bdi>${clipped(plain(text))
    .split('`')
    .map((piece, n, all) => (n % 2 === 1 && n < all.length - 1 ? html`<code>${piece}</code>` : piece))}</bdi>`

export const plain = (value: unknown): string =>
  typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value)

/** As it can stand in an address: half a character cannot. */
export const addressable = (id: string): string => id.replace(/\p{Surrogate}/gu, '\ufffd')

export const episodeHref = (id: string): string => `#episode-${encodeURIComponent(addressable(id))}`

/** `2026-11-22 10:00:00`, in UTC as all times of a report. */
export const moment = (at: string | number): string => {
  const ms = typeof at === 'number' ? at : Date.parse(at)
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : 'an unknown time'
}

export const clockTime = (at: string): string => moment(at).slice(11)

const steps: readonly (readonly [number, string])[] = [
  [1024 ** 4, 'TiB'],
  [1024 ** 3, 'GiB'],
  [1024 ** 2, 'MiB'],
  [1024, 'KiB'],
]

export function amount(value: number, unit: string): string {
  if (unit !== 'bytes') return `${Number(value.toFixed(value < 10 ? 2 : 1))} ${unit}`
  const [size, name] = steps.find(([size]) => value >= size) ?? [1, 'bytes']
  return `${Number((value / size).toFixed(1))} ${name}`
}

export const percent = (part: number, whole: number): string =>
  `${whole > 0 ? ((100 * part) / whole).toFixed(1) : '0'} %`
