/**
 * The system's own resolver, against a name server that denies, fails or keeps silent, and without a road to anybody:
 * each in a network and a mount namespace of its own, so that nothing else on this machine is touched.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { ClosedEvent } from '../../transports/wire-event.js'
import { inOwnNetwork } from '../support/own-network.js'
import { hubAddress, hubName, type Seen, type Trouble } from '../support/resolver-seen.js'

t.jobs = 3

const run = promisify(execFile)

const scene = fileURLToPath(new URL('../support/resolver-scene.js', import.meta.url))

/** What the resolver reads, for the one namespace only. */
const etc = t.testdir({
  asking: {
    'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
    'nsswitch.conf': 'hosts: files dns\n',
    hosts: '127.0.0.1 localhost\n',
  },
  knowing: {
    'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
    'nsswitch.conf': 'hosts: files\n',
    hosts: `127.0.0.1 localhost\n${hubAddress} ${hubName}\n`,
  },
})

async function inNamespace(files: 'asking' | 'knowing', ...command: string[]): Promise<string> {
  const { stdout } = await run('unshare', inOwnNetwork(`${etc}/${files}`, ...command), { timeout: 60_000 })
  return stdout
}

const notHere: string | false = await inNamespace('asking', 'true').then(
  () => false,
  (error: Error) => `no namespace of our own to be had here: ${error.message.trim().split('\n').at(-1)}`,
)

/** Times and the kernel's choice of a port differ from run to run. */
const withoutNumbers = (sentence: string): string =>
  sentence.replace(/\d+(?:\.\d+)? (ms|s)\b/g, 'N $1').replaceAll(/:\d+\b/g, ':PORT')

const judged = ({ state, planned, verdict: { cause, confidence, evidence, runnersUp } }: Episode) => ({
  state,
  planned,
  cause,
  confidence,
  evidence: withoutNumbers(evidence[0] ?? ''),
  runnersUp: runnersUp.map(other => other.cause),
})

const toldOf = ({ by, how, stage, reason, error }: ClosedEvent) => ({
  by,
  how,
  stage,
  reason,
  said: error && [error.code, error.syscall],
})

type Expected = Readonly<{
  name: string
  trouble: Trouble
  /** Our own limit for a name; the system gives up after about a second. */
  dnsLimitMs: number
  verdict: Readonly<{ cause: string; confidence: string; evidence: string; runnersUp: readonly string[] }>
  attempt: ReturnType<typeof toldOf>
}>

const resolving = (code: string, runnersUp: readonly string[]): Expected['verdict'] => ({
  cause: 'dns-failure',
  // Of a server that fails the system says no more than of one that is not heard.
  confidence: code === 'EAI_AGAIN' ? 'possible' : 'certain',
  evidence: `Resolving ${hubName} failed: getaddrinfo ${code} ${hubName}.`,
  runnersUp,
})
const saying = (code: string): Expected['attempt'] => ({
  by: 'network',
  how: 'error',
  stage: 'dns',
  reason: null,
  said: [code, 'getaddrinfo'],
})

const patient = 5_000

const stories: readonly Expected[] = [
  {
    name: 'the name server says that there is no such name: dns-failure, by ENOTFOUND',
    trouble: 'nxdomain',
    dnsLimitMs: patient,
    verdict: resolving('ENOTFOUND', ['wrong-hub-hostname', 'no-network']),
    attempt: saying('ENOTFOUND'),
  },
  {
    name: 'the name server could not find out: dns-failure, by EAI_AGAIN',
    trouble: 'servfail',
    dnsLimitMs: patient,
    verdict: resolving('EAI_AGAIN', ['no-network']),
    attempt: saying('EAI_AGAIN'),
  },
  {
    name: 'the name server is silent, and the system gives up before us: dns-failure, by EAI_AGAIN',
    trouble: 'silence',
    dnsLimitMs: patient,
    verdict: resolving('EAI_AGAIN', ['no-network']),
    attempt: saying('EAI_AGAIN'),
  },
  {
    name: 'the name server is silent, and we give up before the system: dns-failure, by our own limit',
    trouble: 'silence',
    dnsLimitMs: 300,
    verdict: {
      cause: 'dns-failure',
      confidence: 'possible',
      evidence: `No DNS server answered for ${hubName} within N ms.`,
      runnersUp: ['no-network'],
    },
    attempt: { by: 'us', how: 'timeout', stage: 'dns', reason: 'slow', said: null },
  },
  {
    name: 'the link to the name server is down: dns-failure, because EAI_AGAIN is all that the system says of it',
    trouble: 'linkDown',
    dnsLimitMs: patient,
    verdict: resolving('EAI_AGAIN', ['no-network']),
    attempt: saying('EAI_AGAIN'),
  },
  {
    name: "the name is known and nothing leads to its address: no-network, by the kernel's ENETUNREACH",
    trouble: 'noRoute',
    dnsLimitMs: patient,
    verdict: {
      cause: 'no-network',
      confidence: 'certain',
      evidence: `Nothing could be sent to ${hubAddress}:PORT: connect ENETUNREACH ${hubAddress}:PORT - Local (0.0.0.0:PORT).`,
      runnersUp: ['hub-unreachable'],
    },
    attempt: { by: 'network', how: 'error', stage: 'tcp', reason: null, said: ['ENETUNREACH', 'connect'] },
  },
]

for (const { name, trouble, dnsLimitMs, verdict, attempt } of stories) {
  t.test(`${name}, first and later`, { buffered: true, skip: notHere }, async t => {
    const files = trouble === 'noRoute' ? 'knowing' : 'asking'
    const stdout = await inNamespace(files, process.execPath, scene, trouble, String(dnsLimitMs))
    const { statuses, episodes, attempts } = JSON.parse(stdout) as Seen
    const outage = { state: 'closed', planned: false, ...verdict }
    t.strictSame(episodes.slice(0, 2).map(judged), [outage, outage])
    t.ok(attempts.length >= 4, `${attempts.length} failed attempts`)
    t.strictSame(
      attempts.map(toldOf),
      attempts.map(() => attempt),
    )
    t.strictSame(statuses, [200, 200], 'it came back, and methods were answered')
  })
}
