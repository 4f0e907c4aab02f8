/** `GetEpisodes`: the newest outages of a window, as `hubrec episodes --json` prints them, as many as an answer holds. */
import { readEpisodes } from '../evidence/read.js'
import { answerBytesMax, bytesOf } from './answer-size.js'
import { type Method, Refusal } from './method.js'
import { readEpisodesPayload } from './payloads.js'

/** The brackets around the list. */
const frameBytes = 2

export const getEpisodes: Method = {
  name: 'GetEpisodes',
  async answer(payload, { ringDir, redactor, nowMs, readers }) {
    const { window, count } = readEpisodesPayload(payload, nowMs())
    if (!readers.enter()) throw new Refusal(429, 'other requests for the ring are being answered')
    const found = await readEpisodes(ringDir, window).finally(() => readers.leave())
    const episodes: unknown[] = []
    let bytes = frameBytes
    for (const episode of found.slice(-count).reverse()) {
      const redacted: unknown = JSON.parse(redactor.json(episode))
      bytes += bytesOf(redacted) + 1
      if (bytes > answerBytesMax) break
      episodes.unshift(redacted)
    }
    return { status: 200, payload: episodes }
  },
}
