/** `report.html`, the page that a person opens first, and `report.json`, what it shows, for scripts. */
import { readBuiltPage } from '../../report/built-page.js'
import { reportData } from '../../report/data.js'
import { reportHtml } from '../../report/html.js'
import { reportJson } from '../../report/json.js'
import type { ReportPiece } from '../../report/report.js'
import type { Part, PartContext } from '../part.js'
import { episodesGone } from './episodes.js'

const timeLimitMs = 300_000

export const reportPage: Part = {
  name: 'report.html',
  timeLimitMs,
  async *content(context) {
    yield* reportHtml(reportOf(context), await readBuiltPage())
  },
  shortcoming: episodesGone,
}

export const reportInJson: Part = {
  name: 'report.json',
  timeLimitMs,
  content: context => reportJson(reportOf(context)),
  shortcoming: episodesGone,
}

const reportOf = ({ about, episodes, records, json, seen }: PartContext): AsyncGenerator<ReportPiece> =>
  reportData({
    head: about,
    episodes,
    episodesGone: () => seen.episodesGone,
    records: () => records(),
    // What is derived from it holds nothing that it does not hold.
    redacted: value => JSON.parse(json(value)),
  })
