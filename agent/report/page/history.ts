/** What happened in an outage: its attempts with their steps, the waits between them, and what was said meanwhile. */
import { html, type TemplateResult } from 'lit-html'
import { duration, errorText } from '../../diagnosis/words.js'
import type { Episode } from '../../evidence/episode.js'
import type { Attempt, TimelineItem } from '../report.js'
import type { Model } from './data.js'
import { clipped, clockTime, told } from './words.js'

type Item = Extract<TimelineItem, { episode: string | null }>

const byModel = new WeakMap<Model, ReadonlyMap<string, readonly Item[]>>()

/** Grouped when the first is asked for. */
function itemsOf(model: Model, id: string): readonly Item[] {
  const known = byModel.get(model)
  if (known) return known.get(id) ?? []
  const grouped = new Map<string, Item[]>()
  for (const item of model.timeline) {
    if (!('episode' in item) || item.episode === null) continue
    const own = grouped.get(item.episode)
    if (own) own.push(item)
    else grouped.set(item.episode, [item])
  }
  byModel.set(model, grouped)
  return grouped.get(id) ?? []
}

export function history(model: Model, { id }: Episode): TemplateResult {
  const items = itemsOf(model, id)
  if (items.length === 0) return html`<p class="hint">The records of this report do not say what happened in it.</p>`
  return html`<h3 class="within">What happened</h3>
    <div class="scroll">
      <table class="history">
        <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">How it went</th></tr></thead>
        <tbody>${items.map(row)}</tbody>
      </table>
    </div>`
}

function row(item: Item): TemplateResult {
  switch (item.kind) {
    case 'attempt':
      return html`<tr class=${`attempt ${item.outcome}`}>
        <td>${clockTime(item.startedAt)}</td>
        <td>attempt${item.host === null ? '' : html` at ${told(item.host)}:${item.port}`}${item.protocol === null ? '' : html`, ${told(item.protocol)}`}</td>
        <td>${outcomeOf(item)}${stepsOf(item)}</td>
      </tr>`
    case 'wait':
      return html`<tr class="wait">
        <td>${clockTime(item.at)}</td>
        <td>wait</td>
        <td>${duration(item.delayMs)}${item.policy === null ? '' : html`, ${told(policies[item.policy] ?? item.policy)}`}</td>
      </tr>`
    case 'event':
      return html`<tr class=${item.level >= 40 ? 'event bad' : 'event'}>
        <td>${clockTime(item.at)}</td>
        <td>${told(item.type === 'wire' ? 'wire' : item.type === 'sample' ? 'probes' : item.type)}</td>
        <td>${told(item.text)}</td>
      </tr>`
    case 'leftOut':
      return html`<tr class="left-out">
        <td></td>
        <td colspan="2">${item.count} more attempts, waits and messages are in records.ndjson</td>
      </tr>`
  }
}

const policies: Readonly<Record<string, string>> = {
  network: 'as after a lost connection',
  refused: 'as after a refusal',
  takeOver: 'because another client uses this identity',
  application: "by the application's own SDK",
}

function outcomeOf({ outcome, stage, how, reason, error, startedAt, endedAt }: Attempt): TemplateResult {
  const after = endedAt === null ? '' : ` after ${duration(Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)))}`
  if (outcome === 'accepted') return html`<strong class="good">accepted</strong>${after}`
  if (outcome === 'unfinished') return html`<strong>no end is known</strong>`
  const said = error === null ? '' : errorText(error)
  const what = outcome === 'refused' ? 'refused' : outcome === 'notDialled' ? 'not dialled' : 'ended'
  return html`<strong class="bad">${what}</strong>${after}${stage === null ? '' : html` at ${told(stage)}`}${how === null ? '' : html`, ${told(how)}`}${
    reason ? html`: ${told(reason)}` : ''
  }${said === '' ? '' : html`<div class="said">${told(said)}</div>`}`
}

const stepsOf = ({ steps }: Attempt): TemplateResult | string =>
  steps.length === 0
    ? ''
    : html`<div class="steps">
        ${steps.map(({ step, ms, result }) => html`<span title=${clipped(result ?? '')}>${step} ${duration(ms)}${result ? html` <bdi>${clipped(result)}</bdi>` : ''}</span>`)}
      </div>`
