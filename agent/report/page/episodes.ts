/** The outages one by one: a line each, which opens to all that is known of it. */
import { html, type TemplateResult } from 'lit-html'
import { count, duration } from '../../diagnosis/words.js'
import type { Episode } from '../../evidence/episode.js'
import type { Model } from './data.js'
import type { Families } from './families.js'
import { history } from './history.js'
import { around } from './readings.js'
import { links } from './summary.js'
import { addressable, clipped, moment, plain, prose, told } from './words.js'

/** So many lines are in the document at once. */
const together = 100

export type Filter = Readonly<{ cause: string; conn: string; planned: boolean; text: string }>
export const noFilter: Filter = { cause: '', conn: '', planned: true, text: '' }

/** Which lines are shown, and which of them are open. */
export class EpisodeList {
  /** The newest first: what happened last is asked for first. */
  readonly #all: readonly Episode[]
  readonly #open = new Set<string>()
  #filter = noFilter
  #shown: readonly Episode[]
  #from = 0

  constructor(
    private readonly model: Model,
    private readonly families: Families,
    private readonly changed: () => void,
  ) {
    this.#all = [...model.episodes].reverse()
    this.#shown = this.#all
  }

  /** @returns the id of that episode, which is in the document and open once the list has been rendered; `null`: there is none */
  reveal(inAddress: string): string | null {
    const id = this.#all.find(episode => episode.id === inAddress || addressable(episode.id) === inAddress)?.id
    if (id === undefined) return null
    if (!this.#shown.some(episode => episode.id === id)) this.choose(noFilter)
    this.#from = together * Math.floor(this.#shown.findIndex(episode => episode.id === id) / together)
    this.#open.add(id)
    return id
  }

  choose(change: Partial<Filter>): void {
    this.#filter = { ...this.#filter, ...change }
    const { cause, conn, planned, text } = this.#filter
    const words = text.trim().toLowerCase()
    this.#shown = this.#all.filter(
      episode =>
        (cause === '' || episode.verdict.cause === cause) &&
        (conn === '' || episode.conn === conn) &&
        (planned || !episode.planned) &&
        (words === '' || JSON.stringify(episode).toLowerCase().includes(words)),
    )
    this.#from = 0
    this.changed()
  }

  template(): TemplateResult {
    const shown = this.#shown.slice(this.#from, this.#from + together)
    return html`<section aria-labelledby="episodes-title">
      <h2 id="episodes-title" tabindex="-1">Outages, the newest first</h2>
      ${this.#controls()}
      ${shown.length === 0 ? html`<p>There is none${this.#all.length > 0 ? ' that fits' : ''}.</p>` : ''}
      <div class="episodes">${shown.map(episode => this.#line(episode))}</div>
      ${this.#pages()}
    </section>`
  }

  #controls(): TemplateResult {
    const { cause, conn, planned, text } = this.#filter
    const causes = this.model.summary?.causes ?? []
    const titles = new Map(causes.map(each => [each.cause, each.title]))
    const connections = [...new Set(this.#all.map(episode => episode.conn))]
    const chosenIn = (event: Event): string => (event.target as HTMLInputElement | HTMLSelectElement).value
    return html`<form class="filter" role="search" aria-label="Which outages are shown" @submit=${(event: Event) => event.preventDefault()}>
      <label>Cause
        <select @change=${(event: Event) => this.choose({ cause: chosenIn(event) })}>
          <option value="" ?selected=${cause === ''}>all</option>
          ${[...titles].map(([id, title]) => html`<option value=${id} ?selected=${id === cause}>${clipped(plain(title))}</option>`)}
        </select>
      </label>
      ${
        connections.length > 1
          ? html`<label>Connection
              <select @change=${(event: Event) => this.choose({ conn: chosenIn(event) })}>
                <option value="" ?selected=${conn === ''}>all</option>
                ${connections.map(name => html`<option value=${name} ?selected=${name === conn}>${clipped(name)}</option>`)}
              </select>
            </label>`
          : ''
      }
      <label>Text <input type="search" .value=${text} @input=${(event: Event) => this.choose({ text: chosenIn(event) })} /></label>
      <label class="check">
        <input type="checkbox" .checked=${planned} @change=${(event: Event) => this.choose({ planned: (event.target as HTMLInputElement).checked })} />
        planned ones too
      </label>
      <output>${this.#shown.length} of ${count(this.#all.length, 'outage')}</output>
    </form>`
  }

  #pages(): TemplateResult | string {
    const total = this.#shown.length
    if (total <= together) return ''
    const go = (from: number) => () => {
      this.#from = from
      this.changed()
      document.getElementById('episodes-title')?.focus()
    }
    const to = Math.min(this.#from + together, total)
    return html`<nav class="pages" aria-label="Pages of outages">
      <button type="button" ?disabled=${this.#from === 0} @click=${go(this.#from - together)}>Newer</button>
      <span>${this.#from + 1} to ${to} of ${total}</span>
      <button type="button" ?disabled=${to === total} @click=${go(this.#from + together)}>Older</button>
    </nav>`
  }

  #line(episode: Episode): TemplateResult {
    const { id, startedAt, durationMs, verdict, planned, conn } = episode
    const isOpen = this.#open.has(id)
    const toggle = (event: Event): void => {
      const { open } = event.currentTarget as HTMLDetailsElement
      if (open === this.#open.has(id)) return
      if (open) this.#open.add(id)
      else this.#open.delete(id)
      this.changed()
    }
    return html`<details id=${`episode-${id}`} class=${`episode ${this.families.classOf(verdict.cause)} ${planned ? 'is-planned' : ''}`} ?open=${isOpen} @toggle=${toggle}>
      <summary>
        <time datetime=${startedAt}>${moment(startedAt)}</time>
        <span class="length">${durationMs === null ? 'goes on' : duration(durationMs)}</span>
        <span class="title">
          <span class=${`swatch ${planned ? 'planned' : 'outage'} ${this.families.classOf(verdict.cause)}`}></span>
          ${told(verdict.title)}
          <small>${told(verdict.confidence)}${planned ? ', planned' : ''}${conn === 'hubrec' ? '' : html`, ${told(conn)}`}</small>
        </span>
      </summary>
      ${isOpen ? this.#body(episode) : ''}
    </details>`
  }

  #body(episode: Episode): TemplateResult {
    const { id, conn, verdict, session, detectedAfterMs, attempts, waitedMs, sdkSaid, protocol, startedAt, endedAt } =
      episode
    return html`<div class="body">
      <dl class="facts">
        <div><dt>Cause</dt><dd><code>${told(verdict.cause)}</code>, ${told(verdict.confidence)}${episode.provisional ? ', may change' : ''}</dd></div>
        <div><dt>From, to</dt><dd>${moment(startedAt)} to ${endedAt === null ? 'the end of this report' : moment(endedAt)}</dd></div>
        <div><dt>Session before</dt><dd>${session ? duration(session.lastedMs) : 'none'}</dd></div>
        <div><dt>Noticed after</dt><dd>${detectedAfterMs === null ? 'unknown' : duration(detectedAfterMs)}</dd></div>
        <div><dt>Attempts</dt><dd>${attempts}, ${duration(waitedMs)} waited between them</dd></div>
        <div><dt>Protocol</dt><dd>${told(protocol)}</dd></div>
        <div><dt>Connection</dt><dd>${told(conn)}</dd></div>
        <div><dt>Id</dt><dd><code>${told(id)}</code></dd></div>
        ${verdict.hubCodes.length > 0 ? html`<div><dt>In the hub's log</dt><dd>${verdict.hubCodes.map(code => html`<code>${told(code)}</code> `)}</dd></div>` : ''}
        ${sdkSaid ? html`<div><dt>The SDK said</dt><dd>${told(sdkSaid.name)}: ${told(sdkSaid.message)}</dd></div>` : ''}
      </dl>
      ${sentences('What was seen', verdict.evidence)}
      ${sentences('What to do', verdict.nextSteps)}
      ${
        verdict.runnersUp.length > 0
          ? html`<h3 class="within">What else it could be</h3>
              <ul>
                ${verdict.runnersUp.map(({ cause, confidence, toDecide }) => html`<li><code>${told(cause)}</code> (${told(confidence)}): ${told(toDecide)}</li>`)}
              </ul>`
          : ''
      }
      ${links(verdict.docs)} ${history(this.model, episode)} ${around(this.model, episode)}
    </div>`
  }
}

const sentences = (title: string, all: readonly string[]): TemplateResult | string =>
  all.length === 0
    ? ''
    : html`<h3 class="within">${title}</h3><ul>${all.map(sentence => html`<li>${prose(sentence)}</li>`)}</ul>`
