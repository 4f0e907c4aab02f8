/** What the probes were answered decides between causes of which the attempts alone show the same. */
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { ProbeAnswer } from '../../agent/evidence/probe-answer.js'
import type { Failure } from '../../transports/wire-event.js'
import { evidenceOf, failedWith, hub, hubAddress, nowMs, systemError, timedOutAt } from '../support/evidence.js'
import { compare } from '../support/verdicts.js'

const common = { askedMs: nowMs, tookMs: 12 }
const silent: Failure = { name: 'ProbeError', message: 'no answer within 5000 ms', code: 'ETIMEDOUT' }
const unknownName: Failure = { name: 'Error', message: 'queryA ENOTFOUND', code: 'ENOTFOUND' }

const port = (number: number, error: Failure | null, isLastGood = false): ProbeAnswer => ({
  ...common,
  probe: 'connect',
  host: hub,
  address: hubAddress,
  port: number,
  isLastGood,
  error,
})
const name = (isHub: boolean, error: Failure | null, resolver = '192.0.2.1'): ProbeAnswer => ({
  ...common,
  probe: 'resolve',
  resolver,
  name: isHub ? hub : 'www.msftconnecttest.com',
  isHub,
  addresses: error === null ? ['203.0.113.7'] : [],
  error,
})
const gateway = (error: Failure | null): ProbeAnswer => ({
  ...common,
  probe: 'gateway',
  address: '192.0.2.1',
  interface: 'eth0',
  error,
})
const page = (more: Partial<Extract<ProbeAnswer, { probe: 'portal' }>> = {}): ProbeAnswer => ({
  ...common,
  probe: 'portal',
  url: 'http://www.msftconnecttest.com/connecttest.txt',
  status: 200,
  location: null,
  isPortal: false,
  error: null,
  ...more,
})

const unanswered = (...probes: ProbeAnswer[]) => evidenceOf({ failed: [timedOutAt('tcp'), timedOutAt('tcp')], probes })
const unresolved = (code: string, ...probes: ProbeAnswer[]) =>
  evidenceOf({ failed: [failedWith('dns', systemError(code, 'getaddrinfo'))], probes })

t.test('a port that does not answer, and what the others did', async t => {
  compare(t, [
    { story: 'nobody asked', evidence: unanswered(), verdict: 'hub-unreachable possible' },
    {
      story: 'the port of the web takes connections',
      evidence: unanswered(port(443, null), port(5671, silent)),
      verdict: 'port-blocked likely',
      runnersUp: ['hub-unreachable'],
    },
    {
      story: 'it takes none either: it is the road, whatever another port did',
      evidence: unanswered(port(443, silent), port(5671, null)),
      verdict: 'hub-unreachable certain',
    },
    {
      story: 'the answer is of another host',
      evidence: unanswered({ ...port(443, null), host: 'another-hub.azure-devices.net' } as ProbeAnswer),
      verdict: 'hub-unreachable possible',
    },
    {
      story: 'the gateway is not on the link, and nothing answers',
      evidence: unanswered(port(443, silent), gateway(silent), page({ status: null, error: silent })),
      verdict: 'no-network likely',
      sees: ['The default gateway 192.0.2.1 does not answer on eth0, and nothing beyond it answered.'],
    },
    {
      story: 'a gateway that hides is none that is missing, when something behind it answers',
      evidence: unanswered(port(443, silent), gateway(silent), page()),
      verdict: 'hub-unreachable certain',
    },
    {
      story: 'a page that is known sends us to a login',
      evidence: unanswered(page({ status: 302, location: 'http://login.example/', isPortal: true })),
      verdict: 'captive-portal likely',
    },
    {
      story: 'a page with another text may be a filter, which lets the hub pass',
      evidence: unanswered(page({ isPortal: true })),
      verdict: 'hub-unreachable possible',
    },
    {
      story: 'who has come to the sign-in has passed every portal',
      evidence: evidenceOf({
        failed: [timedOutAt('auth')],
        probes: [page({ status: 302, location: 'http://login.example/', isPortal: true })],
      }),
      verdict: 'connack-timeout certain',
    },
  ])
})

t.test('a name that does not resolve, and what each resolver says', async t => {
  compare(t, [
    {
      story: 'the resolver is dead, and the hub is where it was',
      evidence: unresolved('EAI_AGAIN', name(true, silent), name(false, silent), port(8883, null, true)),
      verdict: 'dns-failure certain',
    },
    {
      story: 'the resolver works, and there is no such name',
      evidence: unresolved('ENOTFOUND', name(true, unknownName), name(false, null)),
      verdict: 'wrong-hub-hostname likely',
      runnersUp: ['dns-failure'],
    },
    {
      story: 'the resolver knows no name at all',
      evidence: unresolved('ENOTFOUND', name(true, unknownName), name(false, unknownName)),
      verdict: 'dns-failure certain',
    },
    {
      story: 'one resolver denies it, and another one finds it',
      evidence: unresolved('ENOTFOUND', name(true, unknownName), name(false, null), name(true, null, '192.0.2.2')),
      verdict: 'dns-failure certain',
    },
    {
      story: 'one denies it, and only the other knows names',
      evidence: unresolved('ENOTFOUND', name(true, unknownName), name(false, null, '192.0.2.2')),
      verdict: 'dns-failure certain',
    },
  ])
})

t.test('a name that no hub could have is said to be so', async t => {
  const denied = (host: string): string => {
    const attempt = failedWith('dns', systemError('ENOTFOUND', 'getaddrinfo'), { host })
    const probes = [{ ...name(true, unknownName), name: host } as ProbeAnswer, name(false, null)]
    return diagnose(evidenceOf({ failed: [attempt], probes })).verdict.evidence.join(' ')
  }
  t.match(
    denied('my-hub.azure-device.net'),
    'does not end as the names of hubs do, by .azure-devices.net, .azure-devices.us, or',
  )
  t.notMatch(denied(hub), 'does not end as')
})

t.test('a name that nobody answers, and what needs no name', async t => {
  const other = (error: Failure | null): ProbeAnswer => ({
    ...common,
    probe: 'control',
    host: '198.51.100.7',
    port: 443,
    error,
  })
  const roadless = systemError('ENETUNREACH', 'connect')
  compare(t, [
    { story: 'nobody asked', evidence: unresolved('EAI_AGAIN'), verdict: 'dns-failure possible' },
    {
      story: 'another host answers: it is the DNS server',
      evidence: unresolved('EAI_AGAIN', name(true, silent), other(null)),
      verdict: 'dns-failure certain',
    },
    {
      story: 'nothing answers, not even what needs no name',
      evidence: unresolved('EAI_AGAIN', name(true, silent), other(silent), gateway(null)),
      verdict: 'hub-unreachable likely',
      sees: [
        'Nothing beyond this network answers: no DNS server, and not 198.51.100.7:443, for which no name is needed.',
      ],
      runnersUp: ['no-network', 'dns-failure'],
    },
    {
      story: 'a host that was asked for by its name tells no more than the name',
      evidence: unresolved('EAI_AGAIN', name(true, silent), { ...other(silent), host: 'ntp.example' } as ProbeAnswer),
      verdict: 'dns-failure possible',
    },
    {
      story: 'a resolver that fails is heard: it may be in this network, or behind it',
      evidence: unresolved('EAI_AGAIN', name(true, { ...unknownName, code: 'ESERVFAIL' }), other(silent)),
      verdict: 'dns-failure possible',
    },
    {
      story: 'the kernel knows no road to it',
      evidence: unresolved('EAI_AGAIN', name(true, silent), other(roadless)),
      verdict: 'no-network certain',
      runnersUp: ['dns-failure'],
    },
    {
      story: 'a server that denies the name was heard, whatever else is silent',
      evidence: unresolved('ENOTFOUND', other(silent)),
      verdict: 'dns-failure certain',
    },
  ])
})

t.test('an address that does not answer, while the hub is where it was', async t => {
  const hubThere = (error: Failure | null): ProbeAnswer => ({
    ...common,
    probe: 'tls',
    host: hub,
    address: '203.0.113.99',
    port: 8883,
    isLastGood: true,
    version: null,
    certificate: null,
    error,
  })
  compare(t, [
    {
      story: 'by its certificate',
      evidence: unanswered(port(443, silent), hubThere(null)),
      verdict: 'ip-pinned-or-stale-dns likely',
      runnersUp: ['hub-unreachable'],
    },
    {
      story: 'somebody else has the address by now',
      evidence: unanswered(port(443, silent), hubThere(silent), page()),
      verdict: 'hub-unreachable certain',
    },
    {
      story: 'ports that are open there are not open here',
      evidence: unanswered(port(443, null, true), page()),
      verdict: 'hub-unreachable possible',
    },
  ])
})

t.test('a clock that nobody vouches for, and what another server reads', async t => {
  const apart = (aheadMs: number): ProbeAnswer => ({
    ...common,
    probe: 'httpDate',
    host: 'www.msftconnecttest.com',
    aheadMs,
    error: null,
  })
  const seenBy =
    (synchronised: boolean | null) =>
    (...probes: ProbeAnswer[]) =>
      evidenceOf({
        failed: [failedWith('tls', { name: 'Error', message: 'certificate has expired', code: 'CERT_HAS_EXPIRED' })],
        clock: { wallMs: nowMs, plausible: true, synchronised },
        probes,
      })
  const expired = seenBy(null)
  const dayMs = 86_400_000
  compare(t, [
    { story: 'nobody asked', evidence: expired(), verdict: 'server-certificate-invalid possible' },
    { story: 'two years ahead', evidence: expired(apart(730 * dayMs)), verdict: 'clock-skew likely' },
    { story: 'right', evidence: expired(apart(900)), verdict: 'server-certificate-invalid likely' },
    {
      story: 'the host says that its clock is set, and a header is anybody’s',
      evidence: seenBy(true)(apart(730 * dayMs)),
      verdict: 'server-certificate-invalid certain',
    },
    {
      story: 'behind: then it has expired all the more',
      evidence: expired(apart(-730 * dayMs)),
      verdict: 'server-certificate-invalid possible',
    },
  ])
})

t.test('every answer is told beside the verdict', async t => {
  const { verdict } = diagnose(
    unresolved(
      'EAI_AGAIN',
      name(true, silent),
      name(false, null),
      port(8883, null, true),
      port(443, silent, true),
      { ...common, probe: 'control', host: 'ntp.example', port: 443, error: null },
      { ...common, probe: 'proxy', host: 'proxy.example', port: 3128, error: silent },
      gateway(null),
      page(),
      { ...common, probe: 'httpDate', host: 'www.msftconnecttest.com', aheadMs: -3_600_000, error: null },
    ),
  )
  t.strictSame(verdict.evidence.slice(-8), [
    `Asked for ${hub}, the resolver 192.0.2.1 did not find it: ETIMEDOUT: no answer within 5000 ms.`,
    'Asked for www.msftconnecttest.com, the resolver 192.0.2.1 answered 203.0.113.7.',
    `At the last good address ${hubAddress}, port 8883 takes connections, port 443 takes none (ETIMEDOUT).`,
    'ntp.example:443 takes connections.',
    'The proxy proxy.example:3128 takes none: ETIMEDOUT: no answer within 5000 ms.',
    'The gateway 192.0.2.1 is there on eth0.',
    'http://www.msftconnecttest.com/connecttest.txt was answered by whom it was meant for.',
    'By the clock of www.msftconnecttest.com, ours is 1 h 0 min behind.',
  ])
})
