/** `report.json`: what the page shows, for scripts. */
import { reportData } from '../../report/data.js'
import { reportJson } from '../../report/json.js'
import type { ReportPiece } from '../../report/report.js'
import type { Part, PartContext } from '../part.js'
import { episodesGone } from './episodes.js'

export const reportInJson: Part = {
  name: 'report.json',
  timeLimitMs: 300_000,
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
