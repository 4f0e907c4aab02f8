/** `episodes.json`: one array of what `hubrec episodes --json` prints. */
import { readEpisodes } from '../../evidence/read.js'
import type { Part } from '../part.js'

export const episodes: Part = {
  name: 'episodes.json',
  timeLimitMs: 60_000,
  async *content({ ringDir, window, json, signal }) {
    const found = await readEpisodes(ringDir, { ...window, signal })
    yield '['
    for (const [index, episode] of found.entries()) yield `${index === 0 ? '\n' : ',\n'}${json(episode)}`
    yield '\n]\n'
  },
}
