/** `episodes.json`: one array of what `hubrec episodes --json` prints. */
import type { Part, PartContext } from '../part.js'
import { inPieces } from './pieces.js'

export const episodes: Part = {
  name: 'episodes.json',
  timeLimitMs: 60_000,
  content: context => inPieces(lines(context)),
  shortcoming: episodesGone,
}

async function* lines({ episodes, json }: PartContext): AsyncGenerator<string> {
  yield '['
  let isFirst = true
  for await (const episode of episodes()) {
    yield `${isFirst ? '\n' : ',\n'}${json(episode)}`
    isFirst = false
  }
  yield '\n]\n'
}

/** What is missing of them, and why; `null` where they are all there. */
export function episodesGone({ seen }: PartContext): string | null {
  if (seen.episodesGone === 0) return null
  return `${seen.episodesGone} of the oldest episodes went from the full ring while the bundle was made`
}
