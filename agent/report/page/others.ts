/** What happened outside of outages: marks, starts, gaps, steps of the clock, lasting conditions. */
import { html, type TemplateResult } from 'lit-html'
import { count } from '../../diagnosis/words.js'
import type { TimelineItem } from '../report.js'
import type { Model } from './data.js'
import { moment, told } from './words.js'

const shownMax = 200

export function others({ timeline }: Model): TemplateResult | string {
  const all = timeline.flatMap(item => {
    const text = textOf(item)
    return text === null ? [] : [{ at: 'at' in item ? item.at : '', text }]
  })
  if (all.length === 0) return ''
  const shown = all.slice(-shownMax).reverse()
  return html`<section aria-labelledby="others-title">
    <h2 id="others-title">What else happened</h2>
    ${all.length > shown.length ? html`<p class="hint">The newest ${shown.length} of ${all.length}.</p>` : ''}
    <div class="scroll">
      <table class="history">
        <thead><tr><th scope="col">Time</th><th scope="col">What</th></tr></thead>
        <tbody>${shown.map(({ at, text }) => html`<tr><td>${moment(at)}</td><td>${told(text)}</td></tr>`)}</tbody>
      </table>
    </div>
  </section>`
}

function textOf(item: TimelineItem): string | null {
  switch (item.kind) {
    case 'mark':
      return `mark ${item.id}${item.note === '' ? '' : `: ${item.note}`}`
    case 'start':
      return 'hubrec started'
    case 'stop':
      return 'hubrec stopped'
    case 'gap':
      return `${count(item.count, 'record')} missing here: ${item.reason}`
    case 'event':
      return item.episode === null ? item.text : null
    default:
      return null
  }
}
