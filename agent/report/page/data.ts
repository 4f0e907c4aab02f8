/** The report's data, read out of the page that holds it. */
import type { Points, Report, ReportHead, ReportSummary, Series, TimelineItem } from '../report.js'

export type Model = Readonly<{
  head: ReportHead
  episodes: Report['episodes']
  timeline: readonly TimelineItem[]
  series: readonly PlottedSeries[]
  summary: ReportSummary | null
  /** What of the page could not be read: it was cut off, or somebody changed it. */
  problems: readonly string[]
}>

export type PlottedSeries = Series & Readonly<{ timesMs: readonly number[]; values: readonly number[] }>

export function readModel(document: Document): Model {
  const rows = new Map<string, unknown[]>()
  const problems: string[] = []
  for (const block of document.querySelectorAll<HTMLScriptElement>('script[type="application/json"]')) {
    const section = block.dataset.section ?? ''
    const read = parse(block.textContent)
    const known = rows.get(section)
    if (!Array.isArray(read)) problems.push(`a part of ${section} cannot be read`)
    else if (known) for (const row of read) known.push(row)
    else rows.set(section, read)
  }
  const all = <T>(section: string): T[] => (rows.get(section) ?? []) as T[]
  const [head] = all<ReportHead>('head')
  const [summary = null] = all<ReportSummary>('summary')
  if (!head) throw new Error('the page holds no report')
  if (summary === null) problems.push('the page was cut off before its end')
  return {
    head,
    episodes: all('episodes'),
    timeline: all('timeline'),
    series: withPoints(all('series'), all('points')),
    summary,
    problems,
  }
}

function withPoints(series: readonly Series[], points: readonly Points[]): PlottedSeries[] {
  return series.map(each => {
    const own = points.filter(row => row.series === each.name)
    return { ...each, timesMs: own.flatMap(row => row.timesMs), values: own.flatMap(row => row.values) }
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
