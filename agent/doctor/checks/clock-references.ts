/** Whether others have the same time. What they say is not authenticated: for suspicion only, and never to set a clock. */
import { request } from 'node:https'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { clockRemedies, clockWhy } from '../clock-words.js'
import type { Facts } from '../facts.js'

type Reference = Readonly<{ host: string; aheadMs: number }>

/** A header says whole seconds, and a slow answer is late. */
const apartMs = { warning: 30_000, failed: 300_000 } as const

export const clockReferences: Check = {
  id: 'clock-references',
  family: 'clock',
  question: 'Does the clock agree with those of other hosts?',
  why: clockWhy,
  remedies: clockRemedies,
  needs: ['credential'],
  async ask(facts, signal) {
    const asked = await Promise.allSettled([byProbe(facts), byHub(facts, signal)])
    const seen = asked.flatMap(each => (each.status === 'fulfilled' && each.value !== null ? [each.value] : []))
    if (seen.length === 0) return skipped('no host that was asked told the time')
    const info = { aheadMs: Object.fromEntries(seen.map(({ host, aheadMs }) => [host, aheadMs])) }
    const said = seen
      .map(({ host, aheadMs }) => `${Math.abs(aheadMs) / 1e3} s ${aheadMs < 0 ? 'behind' : 'ahead of'} ${host}`)
      .join(', ')
    // One that is far off says nothing while another one agrees: somebody on the road may have answered.
    const nearest = Math.min(...seen.map(({ aheadMs }) => Math.abs(aheadMs)))
    const farthest = Math.max(...seen.map(({ aheadMs }) => Math.abs(aheadMs)))
    if (nearest >= apartMs.failed) return failed(`it is ${said}`, info)
    if (farthest < apartMs.warning) return ok(`within ${said}`, info)
    return warning(nearest < apartMs.warning ? `the others differ: it is ${said}` : `it is ${said}`, info)
  },
}

async function byProbe({ probed }: Facts): Promise<Reference | null> {
  const [found] = (await probed()).flatMap(answer =>
    answer.probe === 'httpDate' && answer.aheadMs !== null ? [{ host: answer.host, aheadMs: answer.aheadMs }] : [],
  )
  return found ?? null
}

/** The hub, which judges our tokens by its own clock. */
async function byHub(facts: Facts, signal: AbortSignal): Promise<Reference | null> {
  const { config } = await facts.config()
  const { host, proxy } = await facts.target()
  if (proxy !== null) return null
  const [address] = await facts.lookup(host, signal)
  if (address === undefined) return null
  const { https: port } = config.connection.ports
  const dateMs = await dateOf({ host, address, port }, signal)
  return dateMs === null ? null : { host, aheadMs: Math.round(facts.clock.now().wallMs - dateMs - halfGrainMs) }
}

const halfGrainMs = 500

/** The certificate is not verified, for a wrong clock would find it wrong too; nothing is sent that anybody might want. */
const dateOf = (
  { host, address, port }: Readonly<{ host: string; address: string; port: number }>,
  signal: AbortSignal,
): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const asked = request(
      {
        host: address,
        port,
        servername: host,
        headers: { host },
        method: 'HEAD',
        path: '/',
        rejectUnauthorized: false,
        agent: false,
        signal,
      },
      response => {
        asked.destroy()
        const dateMs = Date.parse(response.headers.date ?? '')
        resolve(Number.isFinite(dateMs) ? dateMs : null)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
