/** Plain HTTP, answered by whom it was meant for and by others. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { httpDate } from '../../agent/probes/http-date.js'
import { portal } from '../../agent/probes/portal.js'
import { systemClock } from '../../transports/clock.js'
import { shutPort } from '../support/ports.js'
import { asked, refusedAt, type Story, silentFor } from '../support/probing.js'

type Answer = (response: ServerResponse) => void

/** A server, and a story in which it is the one to ask. */
async function answering(t: Test, answer: Answer): Promise<{ url: string; story: Story; hosts: unknown[] }> {
  const hosts: unknown[] = []
  const server = createServer((request, response) => {
    hosts.push([request.headers.host, request.headers.authorization])
    answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const portalUrl = `http://check.example:${(server.address() as AddressInfo).port}/connecttest.txt`
  const names = { 'check.example': ['127.0.0.1'] }
  return { url: portalUrl, hosts, story: { settings: { portalUrl, portalText: 'Connect Test' }, names } }
}

const well: Answer = response => response.end('Microsoft Connect Test')

t.test('the host that was asked answers, under its own name, and is told nothing of us', async t => {
  const { url, story, hosts } = await answering(t, well)
  t.strictSame(await asked(portal, story), [
    { probe: 'portal', error: null, url, status: 200, location: null, isPortal: false },
  ])
  t.strictSame(hosts, [[new URL(url).host, undefined]])
})

const answers: readonly [what: string, answer: Answer, expected: object][] = [
  [
    'a redirect to elsewhere is a portal, told without the query that names its guest',
    response => response.writeHead(302, { location: 'http://login.hotel.example/start?guest=7' }).end(),
    { error: null, status: 302, location: 'http://login.hotel.example/start', isPortal: true },
  ],
  [
    'a redirect within the host is none',
    response => response.writeHead(301, { location: '/elsewhere' }).end(),
    { error: null, status: 301, location: '/elsewhere', isPortal: false },
  ],
  [
    'another text is a portal that answers itself, however long',
    response => response.end('<html>Welcome to the hotel</html>'.repeat(10_000)),
    { error: null, status: 200, location: null, isPortal: true },
  ],
  [
    '511 says so in one number',
    response => response.writeHead(511).end(),
    { error: null, status: 511, location: null, isPortal: true },
  ],
  [
    'a server that is not well is no portal',
    response => response.writeHead(503).end('Microsoft Connect Test'),
    {
      error: { name: 'ProbeError', code: 'HTTP_503', message: 'answered with status 503' },
      status: 503,
      location: null,
      isPortal: false,
    },
  ],
]
for (const [what, answer, expected] of answers) {
  t.test(what, async t => {
    const { url, story } = await answering(t, answer)
    t.strictSame(await asked(portal, story), [{ probe: 'portal', url, ...expected }])
  })
}

t.test('who refuses, who is silent, and who speaks no HTTP', async t => {
  const port = await shutPort()
  const silent = await answering(t, () => undefined)
  const broken = await answering(t, response => response.socket?.end('SSH-2.0\r\n'))
  const none = { probe: 'portal', status: null, location: null, isPortal: false }
  const refused = `http://127.0.0.1:${port}/`
  t.strictSame(await asked(portal, { settings: { portalUrl: refused } }), [
    { ...none, url: refused, error: refusedAt(port) },
  ])
  t.strictSame(await asked(portal, { ...silent.story, limitMs: 300 }), [
    { ...none, url: silent.url, error: silentFor(300) },
  ])
  t.match(await asked(portal, broken.story), [{ ...none, url: broken.url, error: { code: /^HPE_/ } }])
})

t.test('a network with a proxy answers plain HTTP past it as it likes, so nobody asks', async t => {
  const { story, hosts } = await answering(t, well)
  t.strictSame(await asked(portal, { ...story, target: { hasProxy: true } }), [])
  t.strictSame(await asked(httpDate, { ...story, target: { hasProxy: true } }), [])
  t.strictSame(await asked(portal), [])
  t.strictSame(hosts, [])
})

/** A clock that is ahead, and stands. */
const dateMs = Date.UTC(2026, 10, 26, 12)
const ahead = (byMs: number) => ({
  ...systemClock(),
  now: () => ({ wallMs: dateMs + byMs, monoMs: 0, bootMs: 0 }),
})
const dated =
  (date: string): Answer =>
  response =>
    response.setHeader('date', date).end('Connect Test')

t.test("our clock is compared with the server's, half a second being the grain of its date", async t => {
  const { url, story } = await answering(t, dated('Thu, 26 Nov 2026 12:00:00 GMT'))
  for (const aheadMs of [0, 86_400_000, -3_600_000]) {
    t.strictSame(await asked(httpDate, { ...story, clock: ahead(aheadMs + 500) }), [
      { probe: 'httpDate', error: null, host: new URL(url).host, aheadMs },
    ])
  }
})

t.test('without a date, with one that is none, and from a portal, there is nothing to compare', async t => {
  const none = await answering(t, response => {
    response.sendDate = false
    response.end('Connect Test')
  })
  const bad = await answering(t, dated('half past nine'))
  const other = await answering(t, response => response.end('Welcome to the hotel'))
  for (const { story } of [none, bad, other]) t.strictSame(await asked(httpDate, story), [])
})
