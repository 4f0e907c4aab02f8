/** What it comes to: how long the device was away, what to do next, which causes took how much. */
import { html, type TemplateResult } from 'lit-html'
import { count, duration } from '../../diagnosis/words.js'
import type { CauseSummary, ReportSummary } from '../report.js'
import type { Model } from './data.js'
import type { Families } from './families.js'
import { windowOf } from './strip.js'
import { episodeHref, moment, percent, prose, told } from './words.js'

export function header(model: Model): TemplateResult {
  const { head, summary, problems, episodes } = model
  const { fromMs, toMs } = windowOf(model)
  const incomplete = [...problems, ...(summary?.incomplete ? [summary.incomplete] : [])]
  const goesOn = episodes.filter(({ state }) => state === 'open')
  return html`<header>
    <h1>Connection report of ${told(head.device)}</h1>
    <p class="subject">
      <span>${moment(fromMs)} to ${moment(toMs)} UTC</span>
      <span>made ${moment(head.createdAt)} by ${told(head.requestedBy)}: ${told(head.why)}</span>
      <span>hubrec ${told(head.versions?.hubrec)}, Node ${told(head.versions?.node)}, ${told(head.versions?.os)}</span>
    </p>
    ${summary ? headline(summary, toMs - fromMs) : ''}
    ${goesOn.map(
      ({ id, startedAt, verdict }) => html`<p class="warning" role="status">
        At the end of this report an outage goes on, since ${moment(startedAt)}:
        <a href=${episodeHref(id)}>${told(verdict.title)}</a>
      </p>`,
    )}
    ${incomplete.map(problem => html`<p class="warning" role="status">This report is incomplete: ${told(problem)}.</p>`)}
  </header>`
}

function headline({ totals, covered }: ReportSummary, lengthMs: number): TemplateResult {
  const { faults, awayMs, planned, gaps, recordsMissing, episodesGone } = totals
  const missing = [
    ...(gaps > 0 ? [`${count(recordsMissing, 'record')} missing, in ${count(gaps, 'gap')}`] : []),
    ...(episodesGone > 0 ? [`${count(episodesGone, 'outage')} gone from the full ring`] : []),
  ]
  return html`<dl class="totals">
    <div><dt>Faults</dt><dd>${faults}</dd></div>
    <div><dt>Without a connection</dt><dd>${duration(awayMs)}</dd></div>
    <div><dt>Of the time</dt><dd>${percent(awayMs, lengthMs)}</dd></div>
    <div><dt>Planned breaks</dt><dd>${planned}</dd></div>
    <div><dt>Lost records</dt><dd>${covered === null ? 'no records at all' : missing.length > 0 ? missing.join('; ') : 'none'}</dd></div>
  </dl>`
}

/** What a person reads before they begin to work. */
const advisedMax = 5

export function advice({ summary }: Model, families: Families): TemplateResult {
  const faults = (summary?.causes ?? []).filter(({ isFault }) => isFault)
  return html`<section aria-labelledby="advice-title">
    <h2 id="advice-title">What to do next</h2>
    ${
      faults.length === 0
        ? html`<p>Nothing: no outage but what was planned, or was the service's own.</p>`
        : html`<ol class="advice">${faults.slice(0, advisedMax).map(cause => adviceFor(cause, families))}</ol>`
    }
    ${faults.length > advisedMax ? html`<p class="hint">${faults.length - advisedMax} more causes are in the table below.</p>` : ''}
  </section>`
}

const adviceFor = (
  cause: CauseSummary,
  families: Families,
): TemplateResult => html`<li class=${families.classOf(cause.cause)}>
  <h3>${told(cause.title)} <code>${told(cause.cause)}</code></h3>
  <p class="hint">
    ${count(cause.count, 'time')}, ${duration(cause.awayMs)} without a connection, ${confidences(cause)};
    <a href=${episodeHref(cause.newestId)}>the last one ${moment(cause.newestAt)}</a>
  </p>
  <ul>${cause.nextSteps.map(step => html`<li>${prose(step)}</li>`)}</ul>
  ${links(cause.docs)}
</li>`

const sureness = ['certain', 'likely', 'possible', 'unknown'] as const

const confidences = ({ confidence }: CauseSummary): string => {
  const all = sureness.flatMap(name => (confidence[name] ? [[name, confidence[name]] as const] : []))
  return all.length === 1 ? (all[0]?.[0] ?? '') : all.map(([name, times]) => `${times} ${name}`).join(', ')
}

/** Only what is an address of the web becomes a link. */
export const links = (pages: readonly string[]): TemplateResult | string =>
  pages.length === 0
    ? ''
    : html`<p class="docs">
        Read: ${pages.map(page => (/^https:\/\//.test(page) ? html`<a href=${page} rel="noopener noreferrer">${told(page)}</a> ` : told(page)))}
      </p>`

export function causes({ summary }: Model, families: Families, choose: (cause: string) => void): TemplateResult {
  const all = summary?.causes ?? []
  const longestMs = Math.max(1, ...all.map(({ awayMs }) => awayMs))
  const most = Math.max(1, ...all.map(cause => cause.count))
  return html`<section aria-labelledby="causes-title">
    <h2 id="causes-title">Causes</h2>
    ${all.length === 0 ? html`<p>There was no outage.</p>` : ''}
    <div class="scroll" ?hidden=${all.length === 0}>
      <table class="causes">
        <thead>
          <tr><th scope="col">Cause</th><th scope="col">Times</th><th scope="col">Minutes away</th><th scope="col">Longest</th><th scope="col">How sure</th></tr>
        </thead>
        <tbody>
          ${all.map(
            cause => html`<tr class=${`${families.classOf(cause.cause)} ${cause.planned ? 'is-planned' : ''}`}>
              <th scope="row">
                <span class=${`swatch ${cause.planned ? 'planned' : 'outage'} ${families.classOf(cause.cause)}`}></span>
                <button type="button" @click=${() => choose(cause.cause)} title="Show these outages">${told(cause.title)}</button>
                <small><code>${told(cause.cause)}</code>${cause.planned ? ', planned' : cause.isFault ? '' : ", the service's own"}</small>
              </th>
              <td>${measure(cause.count / most, cause.count)}</td>
              <td>${measure(cause.awayMs / longestMs, minutes(cause.awayMs))}</td>
              <td>${duration(cause.longestMs)}</td>
              <td>${confidences(cause)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`
}

const minutes = (ms: number): string => (ms / 60_000).toFixed(ms < 600_000 ? 2 : 1)

/** A number, and how it compares to the greatest of them. */
const measure = (share: number, text: string | number): TemplateResult =>
  html`<div class="measure"><span>${text}</span><i class="bar" style=${`width:${share > 0 ? Math.max(1, 100 * share).toFixed(1) : 0}%`} aria-hidden="true"></i></div>`

export function lengths({ summary }: Model): TemplateResult {
  const all = summary?.sessionLengths ?? []
  const total = all.reduce((sum, each) => sum + each.count, 0)
  const most = Math.max(1, ...all.map(each => each.count))
  return html`<section aria-labelledby="lengths-title">
    <h2 id="lengths-title">How long sessions lasted</h2>
    ${total === 0 ? html`<p>No session ended.</p>` : ''}
    <table class="lengths" ?hidden=${total === 0}>
      <thead><tr><th scope="col">Length</th><th scope="col">Sessions</th></tr></thead>
      <tbody>
        ${all.map(
          ({ fromMs, toMs, count }) => html`<tr>
            <th scope="row">${toMs === null ? `${round(fromMs)} and more` : `${fromMs === 0 ? 'under' : `${round(fromMs)} to`} ${round(toMs)}`}</th>
            <td>${measure(count / most, count)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </section>`
}

const units: readonly (readonly [number, string])[] = [
  [86_400e3, 'd'],
  [3_600e3, 'h'],
  [60e3, 'min'],
  [1e3, 's'],
]

/** The bounds are whole numbers of a unit. */
function round(ms: number): string {
  const [size, unit] = units.find(([size]) => ms >= size) ?? [1, 'ms']
  return `${ms / size} ${unit}`
}
