/** Readings over time, drawn by uPlot; outages are shaded behind them. */
import { html, type TemplateResult } from 'lit-html'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Model, PlottedSeries } from './data.js'
import { windowOf } from './strip.js'
import { amount, moment, told } from './words.js'

const titles: Readonly<Record<string, string>> = {
  rtt: 'Round trip',
  signal: 'Wi-Fi signal (RSSI)',
  retransmits: 'Repeated TCP segments',
  memory: 'Memory',
  temperature: 'Temperature',
  disk: 'Disk',
}

const heightPx = 170

/** Longer without a reading, and than ten times as far apart as usual, is drawn as a gap. */
const gapMs = 180_000

type Plot = Readonly<{ plot: string; series: readonly PlottedSeries[] }>

const plotsOf = ({ series }: Model): readonly Plot[] =>
  [...new Set(series.map(({ plot }) => plot))].map(plot => ({
    plot,
    series: series.filter(each => each.plot === plot),
  }))

export function plots(model: Model): TemplateResult {
  const all = plotsOf(model)
  const missing = Object.entries(titles).filter(([plot]) => !all.some(each => each.plot === plot))
  return html`<section aria-labelledby="plots-title">
    <h2 id="plots-title">Readings</h2>
    <p class="hint">Outages are shaded. Drag over a plot to look closer, double-click to see all of it again.</p>
    ${all.map(
      ({ plot, series }) => html`<figure>
        <figcaption>${titles[plot] ?? told(plot)}${unitOf(series)}</figcaption>
        <div class="plot" data-plot=${plot} role="img" aria-label=${`${titles[plot] ?? plot}: ${series.map(inWords).join('; ')}`}></div>
        <ul class="readings">${series.map((each, n) => html`<li><span class=${`line line-${n % 6}`}></span>${told(inWords(each))}</li>`)}</ul>
      </figure>`,
    )}
    ${missing.length > 0 ? html`<p class="hint">Not read on this host: ${missing.map(([, title]) => title).join(', ')}.</p>` : ''}
  </section>`
}

/** Bytes are said with each number, and segments by the title. */
const unitOf = ([first]: readonly PlottedSeries[]): string =>
  first && first.unit !== 'bytes' && first.unit !== 'segments' ? `, ${first.unit}` : ''

const inWords = ({ title, unit, min, max, last, count, thinned }: PlottedSeries): string =>
  `${title}: ${amount(min, unit)} to ${amount(max, unit)}, last ${amount(last, unit)}, ${count} readings${thinned > 0 ? `, of which the peaks of ${count - thinned} are drawn` : ''}`

/** Draws into what `plots` has made; to be called again when colours or widths have changed. */
export class Drawn {
  #drawn: readonly uPlot[] = []

  constructor(
    private readonly model: Model,
    private readonly page: HTMLElement,
  ) {}

  draw(widthPx?: number): void {
    for (const plot of this.#drawn) plot.destroy()
    const { fromMs, toMs } = windowOf(this.model)
    const outages = this.model.episodes
      .filter(({ planned }) => !planned)
      .map(
        ({ startedAt, endedAt }) =>
          [Date.parse(startedAt) / 1e3, (endedAt === null ? toMs : Date.parse(endedAt)) / 1e3] as const,
      )
    this.#drawn = plotsOf(this.model).flatMap(plot => {
      const place = this.page.querySelector<HTMLElement>(`[data-plot="${CSS.escape(plot.plot)}"]`)
      if (!place) return []
      const width = Math.max(200, widthPx ?? place.clientWidth)
      return [new uPlot(optionsOf(plot, width, [fromMs / 1e3, toMs / 1e3], outages), dataOf(plot), place)]
    })
  }

  resize(): void {
    for (const plot of this.#drawn) {
      const { clientWidth } = plot.root.parentElement ?? plot.root
      if (clientWidth > 0 && clientWidth !== plot.width) plot.setSize({ width: clientWidth, height: heightPx })
    }
  }
}

function optionsOf(
  { series }: Plot,
  width: number,
  whole: readonly [number, number],
  outages: readonly (readonly [number, number])[],
): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--text-soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  }
  const [{ unit } = { unit: '' }] = series
  return {
    width,
    height: heightPx,
    tzDate: seconds => uPlot.tzDate(new Date(seconds * 1e3), 'Etc/UTC'),
    scales: {
      x: {
        range: (_, min, max) => (min === null || min === max ? [...whole] : [min, max]),
        min: whole[0],
        max: whole[1],
      },
    },
    cursor: { sync: { key: 'readings', scales: ['x', null] }, y: false },
    legend: { show: true, live: true },
    axes: [
      { ...axis, values: (_, ticks, __, ___, stepS) => ticks.map((tick, n) => tickText(tick, n, stepS)) },
      {
        ...axis,
        size: 76,
        ...(unit === 'bytes' ? { incrs: powersOfTwo } : {}),
        values: (_, ticks) => ticks.map(tick => (unit === 'bytes' ? amount(tick, unit) : String(tick))),
      },
    ],
    series: [
      {
        label: 'UTC',
        value: (_, seconds) =>
          seconds === null ? '' : new Date(seconds * 1e3).toISOString().slice(0, 19).replace('T', ' '),
      },
      ...series.map((each, n) => ({
        label: each.title,
        stroke: colour(`--line-${n % 6}`),
        width: 1.5,
        points: { show: each.values.length < 60 },
        value: (_: uPlot, value: number | null) => (value === null || value === undefined ? '' : amount(value, unit)),
      })),
    ],
    hooks: { drawClear: [plot => shade(plot, outages, colour('--shade'))] },
  }
}

const powersOfTwo = Array.from({ length: 52 }, (_, n) => 2 ** n)

/** Of a day in hours and minutes, and where a day begins its date. */
function tickText(seconds: number, n: number, stepS: number): string {
  const [date, time] = moment(seconds * 1e3).split(' ')
  const isDate = stepS >= 86_400 || time?.startsWith('00:00:00')
  const clock = stepS >= 60 ? time?.slice(0, 5) : time
  return isDate ? (date ?? '').slice(5) : n === 0 ? `${clock}\n${date}` : (clock ?? '')
}

function shade(plot: uPlot, outages: readonly (readonly [number, number])[], colour: string): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.fillStyle = colour
  let drawnTo = Number.NEGATIVE_INFINITY
  for (const [from, to] of outages) {
    const left = Math.max(bbox.left, plot.valToPos(from, 'x', true), drawnTo)
    const right = Math.min(bbox.left + bbox.width, Math.max(left + 1, plot.valToPos(to, 'x', true)))
    if (right <= left) continue
    ctx.fillRect(left, bbox.top, right - left, bbox.height)
    drawnTo = right
  }
  ctx.restore()
}

function dataOf({ series }: Plot): uPlot.AlignedData {
  return uPlot.join(series.map(withGaps))
}

/** Where nothing was read for long no line is drawn. */
function withGaps({ timesMs, values }: PlottedSeries): uPlot.AlignedData {
  const distances = timesMs.slice(1).map((at, n) => at - (timesMs[n] ?? at))
  const usualMs = [...distances].sort((a, b) => a - b)[distances.length >> 1] ?? 0
  const longMs = Math.max(gapMs, 10 * usualMs)
  const times: number[] = []
  const drawn: (number | null)[] = []
  for (const [n, at] of timesMs.entries()) {
    const before = timesMs[n - 1]
    if (before !== undefined && at - before > longMs) {
      times.push((before + at) / 2e3)
      drawn.push(null)
    }
    // Two readings of one moment would be two places for one value.
    if (times.at(-1) === at / 1e3) continue
    times.push(at / 1e3)
    drawn.push(values[n] ?? null)
  }
  return [times, drawn]
}
