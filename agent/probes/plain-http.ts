/** One GET over plain HTTP, which every box on the way may answer: that is the point of it. */
import http from 'node:http'
import { refusalOf } from '../../transports/http-answer.js'

export type PlainAnswer = Readonly<{
  status: number
  /** Without its query. */
  location: string | null
  /** The `Date` header, in ms since 1970; `null` where there is none that can be read. */
  dateMs: number | null
  /** Of the wall clock, in the middle between question and answer. */
  wallMs: number
  /** At most the first 4 KiB. */
  text: string
}>

const textBytesMax = 4_096

/** @param address to which the URL's host was resolved */
export function plainGet(url: URL, address: string, wallMs: () => number, signal: AbortSignal): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    const askedMs = wallMs()
    const request = http.get({
      host: address,
      port: url.port === '' ? 80 : Number(url.port),
      path: `${url.pathname}${url.search}`,
      setHost: false,
      headers: { Host: url.host, Connection: 'close', 'Cache-Control': 'no-cache' },
      agent: false,
      signal,
    })
    request.once('error', reject)
    request.once('response', response => {
      const answeredMs = wallMs()
      const date = Date.parse(response.headers.date ?? '')
      const head = {
        status: response.statusCode ?? 0,
        location: refusalOf(response).headers.location ?? null,
        dateMs: Number.isNaN(date) ? null : date,
        wallMs: (askedMs + answeredMs) / 2,
      }
      const chunks: Buffer[] = []
      let bytes = 0
      const done = (): void => {
        resolve({ ...head, text: Buffer.concat(chunks).subarray(0, textBytesMax).toString('utf8') })
        request.destroy()
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= textBytesMax) done()
      })
      response.once('end', done)
      response.once('error', reject)
    })
  })
}
