/** The host around an outage: each reading before it, how far it went meanwhile, and after it. */
import { html, type TemplateResult } from 'lit-html'
import type { Episode } from '../../evidence/episode.js'
import type { Model, PlottedSeries } from './data.js'
import { amount, told } from './words.js'

const aroundMs = 10 * 60_000

export function around({ series, head }: Model, { startedAt, endedAt }: Episode): TemplateResult | string {
  const fromMs = Date.parse(startedAt)
  const toMs = endedAt === null ? Date.parse(head.window.to) : Date.parse(endedAt)
  const rows = series.flatMap(each => {
    const start = placeOf(each, fromMs - aroundMs)
    const end = placeOf(each, toMs + aroundMs)
    if (start === end) return []
    const values = each.values.slice(start, end)
    const before = each.values[placeOf(each, fromMs) - 1]
    const after = each.values[placeOf(each, toMs)]
    const text = (value: number | undefined): string => (value === undefined ? '' : amount(value, each.unit))
    const least = values.reduce((a, b) => Math.min(a, b))
    const most = values.reduce((a, b) => Math.max(a, b))
    return [
      html`<tr><th scope="row">${told(each.title)}</th><td>${text(before)}</td><td>${text(least)}</td><td>${text(most)}</td><td>${text(after)}</td></tr>`,
    ]
  })
  if (rows.length === 0) return html`<p class="hint">Nothing was read from the host around it.</p>`
  return html`<h3 class="within">The host around it, from ten minutes before to ten minutes after</h3>
    <div class="scroll">
      <table class="around">
        <thead><tr><th scope="col">Reading</th><th scope="col">Last before</th><th scope="col">Least</th><th scope="col">Most</th><th scope="col">First after</th></tr></thead>
        <tbody>${rows}</tbody>
      </table>
    </div>`
}

/** How many readings are earlier. */
function placeOf({ timesMs }: PlottedSeries, ms: number): number {
  let [low, high] = [0, timesMs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((timesMs[middle] ?? 0) < ms) low = middle + 1
    else high = middle
  }
  return low
}
