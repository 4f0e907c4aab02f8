/** The strip: sessions, outages and planned breaks over the time of the report, one lane for each connection. */
import { html, svg, type TemplateResult } from 'lit-html'
import { count, duration } from '../../diagnosis/words.js'
import type { Episode } from '../../evidence/episode.js'
import type { Model } from './data.js'
import type { Families } from './families.js'
import { clipped, episodeHref, moment } from './words.js'

/** What is narrower than that is drawn as wide, and what is closer together is one link. */
const resolution = 400

type Window = Readonly<{ fromMs: number; toMs: number }>

/** Outages so close together that they are one mark on the strip. */
type Cluster = { fromMs: number; toMs: number; episodes: Episode[] }

export function windowOf({ head, summary, episodes }: Model): Window {
  const toMs = Date.parse(head.window.to)
  const known = [summary?.covered?.from, episodes[0]?.startedAt]
    .filter(at => at !== undefined)
    .map(at => Date.parse(at))
  const fromMs = Math.max(Date.parse(head.window.from), Math.min(...known, toMs))
  return { fromMs: fromMs < toMs ? fromMs : toMs - 1_000, toMs }
}

export function strip(model: Model, families: Families): TemplateResult {
  const window = windowOf(model)
  const connections = [...new Set([...model.episodes, ...sessionsOf(model)].map(({ conn }) => conn ?? ''))]
  return html`<section aria-labelledby="strip-title">
    <h2 id="strip-title">Sessions and outages</h2>
    <p class="hint">Each coloured mark is an outage and leads to it. All times are UTC.</p>
    ${connections.map(conn => lane(conn, connections.length > 1, model, window, families))}
    ${connections.length === 0 ? html`<p>Nothing is known of any connection.</p>` : notes(model, window)}
    ${axis(window)} ${legend(model, families)}
  </section>`
}

const sessionsOf = ({ timeline }: Model) => timeline.filter(item => item.kind === 'session')

function lane(conn: string, isNamed: boolean, model: Model, window: Window, families: Families): TemplateResult {
  const own = model.episodes.filter(episode => episode.conn === conn)
  const sessions = sessionsOf(model).filter(session => (session.conn ?? '') === conn)
  const outages = clustered(
    own.filter(({ planned }) => !planned),
    window,
  )
  const planned = clustered(
    own.filter(episode => episode.planned),
    window,
  )
  return html`<div class="lane" role="group" aria-label=${`Connection ${clipped(conn)}`}>
    ${isNamed ? html`<div class="lane-name"><bdi>${clipped(conn)}</bdi></div>` : ''}
    <div class="lane-outages">
      <svg viewBox="0 0 2000 10" preserveAspectRatio="none" aria-hidden="true">
        ${svg`<path class="connected" d=${path(sessions, window)}></path>`}
      </svg>
      ${outages.map(cluster => mark(cluster, window, families, 'outage'))}
    </div>
    <div class="lane-planned">${planned.map(cluster => mark(cluster, window, families, 'planned'))}</div>
  </div>`
}

/** Sessions as one shape: there may be ten thousands of them. */
function path(sessions: readonly Readonly<{ startedAt: string; endedAt: string | null }>[], window: Window): string {
  const covered = new Uint8Array(2_000)
  for (const { startedAt, endedAt } of sessions) {
    const from = Math.floor(2_000 * shareOf(Date.parse(startedAt), window))
    const to = Math.ceil(2_000 * shareOf(endedAt === null ? window.toMs : Date.parse(endedAt), window))
    covered.fill(1, from, to)
  }
  let shape = ''
  let begun = -1
  for (let at = 0; at <= covered.length; at++) {
    if (covered[at] === 1 && begun === -1) begun = at
    if (covered[at] !== 1 && begun !== -1) {
      shape += `M${begun} 0H${at}V10H${begun}Z`
      begun = -1
    }
  }
  return shape
}

function clustered(episodes: readonly Episode[], window: Window): Cluster[] {
  const closeMs = (window.toMs - window.fromMs) / resolution
  const clusters: Cluster[] = []
  for (const episode of episodes) {
    const fromMs = Date.parse(episode.startedAt)
    const toMs = episode.endedAt === null ? window.toMs : Date.parse(episode.endedAt)
    const last = clusters.at(-1)
    if (last && fromMs - Math.max(last.toMs, last.fromMs + closeMs) < closeMs / 2) {
      last.episodes.push(episode)
      last.toMs = Math.max(last.toMs, toMs)
    } else clusters.push({ fromMs, toMs, episodes: [episode] })
  }
  return clusters
}

function mark({ fromMs, toMs, episodes }: Cluster, window: Window, families: Families, kind: string): TemplateResult {
  const [first] = episodes
  const worst = episodes.reduce((a, b) => ((b.durationMs ?? toMs) > (a.durationMs ?? toMs) ? b : a))
  const left = 100 * shareOf(fromMs, window)
  const width = Math.max(100 / resolution, 100 * shareOf(toMs, window) - left)
  const named = `${clipped(worst.verdict.title)} (${worst.verdict.confidence})`
  const label =
    episodes.length === 1
      ? `${moment(fromMs)}: ${named}, ${worst.durationMs === null ? 'goes on' : duration(worst.durationMs)}`
      : `${moment(fromMs)} to ${moment(toMs)}: ${episodes.length} ${kind === 'planned' ? 'planned breaks' : 'outages'}, the longest: ${named}`
  return html`<a
    class=${`mark ${kind} ${families.classOf(worst.verdict.cause)}`}
    style=${`left:${Math.min(left, 100 - 100 / resolution).toFixed(3)}%;width:${Math.min(width, 100 - left).toFixed(3)}%`}
    href=${episodeHref(first?.id ?? '')}
    title=${label}
    aria-label=${label}
  ></a>`
}

/** What is no connection's: records that are missing, marks, starts of the recorder. */
function notes({ timeline }: Model, window: Window): TemplateResult {
  const all = timeline
    .flatMap(item => (item.kind === 'gap' || item.kind === 'mark' || item.kind === 'start' ? [item] : []))
    .slice(-500)
  return html`<div class="lane-notes">
    ${all.map(item => {
      const text =
        item.kind === 'gap'
          ? `${count(item.count, 'record')} missing (${clipped(item.reason)})`
          : item.kind === 'mark'
            ? `mark ${clipped(item.id)} ${clipped(item.note)}`
            : 'hubrec started'
      const label = `${moment(item.at)}: ${text}`
      const left = 100 * shareOf(Date.parse(item.at), window)
      return html`<span class=${`note ${item.kind}`} style=${`left:${left.toFixed(3)}%`} title=${label} role="img" aria-label=${label}></span>`
    })}
  </div>`
}

const stepsMs = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2 * 1440, 7 * 1440, 30 * 1440, 365 * 1440].map(n => n * 60_000)

function axis(window: Window): TemplateResult {
  const { fromMs, toMs } = window
  const stepMs = stepsMs.find(step => (toMs - fromMs) / step <= 6) ?? Number.POSITIVE_INFINITY
  const ticks: number[] = []
  for (let at = Math.ceil(fromMs / stepMs) * stepMs; at <= toMs; at += stepMs) ticks.push(at)
  const inDays = stepMs >= 86_400_000
  const text = (at: number): string => {
    const whole = moment(at)
    return inDays ? whole.slice(0, 10) : at % 86_400_000 === 0 ? whole.slice(5, 10) : whole.slice(11, 16)
  }
  return html`<div class="axis" aria-hidden="true">
    ${ticks.map(at => html`<span style=${`left:${(100 * shareOf(at, window)).toFixed(3)}%`}>${text(at)}</span>`)}
  </div>`
}

function legend({ timeline }: Model, families: Families): TemplateResult {
  const has = (kind: string): boolean => timeline.some(item => item.kind === kind)
  return html`<ul class="legend">
    <li><span class="swatch connected"></span>connected</li>
    ${families.present.map(([family, name]) => html`<li><span class=${`swatch outage ${family}`}></span>${name}</li>`)}
    <li><span class="swatch planned"></span>planned break, below</li>
    <li><span class="swatch nothing"></span>not recorded</li>
    ${has('gap') ? html`<li><span class="note gap"></span>records are missing</li>` : ''}
    ${has('mark') ? html`<li><span class="note mark"></span>a mark that somebody set</li>` : ''}
    ${has('start') ? html`<li><span class="note start"></span>hubrec started</li>` : ''}
  </ul>`
}

const shareOf = (ms: number, { fromMs, toMs }: Window): number =>
  Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs)))
