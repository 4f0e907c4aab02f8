/** What rules ask of the probes: what answered beside the attempts, in the same outage. */
import type { Failure } from '../../transports/wire-event.js'
import type { Evidence, FailedAttempt } from '../evidence/episode.js'
import type { ProbeAnswer } from '../evidence/probe-answer.js'
import { findCode } from './wire-facts.js'
import { duration, errorText } from './words.js'

type Answer<Name extends ProbeAnswer['probe']> = Extract<ProbeAnswer, { probe: Name }>

export const answersOf = <Name extends ProbeAnswer['probe']>({ probes }: Pick<Evidence, 'probes'>, name: Name) =>
  probes.filter((answer): answer is Answer<Name> => answer.probe === name)

const webPort = 443
const ownPorts: ReadonlySet<number> = new Set([8883, 5671])

/**
 * Whether the web's port of the host that was dialled takes connections: `null` where nobody asked. Where the ports are not IoT
 * Hub's own, any other one stands for it.
 */
export function isWebOpen(evidence: Evidence, { host, port }: FailedAttempt): boolean | null {
  const isWeb = (other: number): boolean => (ownPorts.has(port) ? other === webPort : other !== port)
  // What answers where the hub once was says nothing of where it is dialled now.
  const asked = answersOf(evidence, 'connect').filter(
    answer => answer.host === host && isWeb(answer.port) && !answer.isLastGood,
  )
  return asked.length === 0 ? null : asked.some(({ error }) => error === null)
}

const noSuchName: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** A resolver that says there is no such host, and knows another name: it works, and the name is wrong. */
export function deniesOnlyTheHub(evidence: Evidence, { host }: FailedAttempt): Answer<'resolve'> | null {
  const asked = answersOf(evidence, 'resolve')
  const isHub = ({ name, isHub: is }: Answer<'resolve'>): boolean => is && name === host
  // One that finds it says more than one that does not.
  if (asked.some(answer => isHub(answer) && answer.error === null)) return null
  const denial = asked.find(
    answer =>
      isHub(answer) &&
      noSuchName.has(answer.error?.code ?? '') &&
      asked.some(other => !other.isHub && other.resolver === answer.resolver && other.error === null),
  )
  return denial ?? null
}

/** RFC 6585: network authentication required. */
const signInFirst = 511

/** A page with a known text, and somebody else sends us elsewhere for it. Another text alone may be a filter's, which lets the hub pass. */
export const portalAnswer = (evidence: Evidence): Answer<'portal'> | null =>
  answersOf(evidence, 'portal').find(
    ({ isPortal, location, status }) => isPortal && (location !== null || status === signInFirst),
  ) ?? null

/** The default gateway was sought on the link and is not there, and nothing beyond it answered either. */
export function isGatewayGone(evidence: Evidence): Answer<'gateway'> | null {
  const gone = answersOf(evidence, 'gateway').find(({ error }) => error !== null)
  const beyond = evidence.probes.some(answer => isBeyond(answer) && answer.error === null)
  return gone === undefined || beyond ? null : gone
}

const heardCodes: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'ENODATA',
  'ESERVFAIL',
  'EREFUSED',
  'EAI_NONAME',
  'EAI_NODATA',
  'EAI_FAIL',
])

/** Some DNS server has answered, whatever it said; EAI_AGAIN does not say whether one has. */
export const wasResolverHeard = (error: Failure | null): boolean => findCode(error, heardCodes) !== undefined

/**
 * Hosts that were dialled by an address, without any name, while nothing at all answered beyond the gateway: then a name that does
 * not resolve is no fault of the DNS server. `null` where no such host was asked, or something answered.
 */
export function nothingBeyond({ probes }: Pick<Evidence, 'probes'>): readonly Dialled[] | null {
  const beyond = probes.filter(isBeyond)
  // A resolver that fails is heard too; whether it is behind this network or in it, nobody knows.
  if (beyond.some(({ error }) => error === null || wasResolverHeard(error))) return null
  const dialled = beyond.filter(
    (answer): answer is Dialled =>
      (answer.probe === 'control' && isAddress(answer.host)) || (answer.probe === 'connect' && answer.isLastGood),
  )
  return dialled.length === 0 ? null : dialled
}

/** Told from a name, which has no colon and does not end with a number. */
const isAddress = (host: string): boolean => /:|\.\d+$/.test(host)

type Dialled = Answer<'control'> | Answer<'connect'>

/** As `address:port`, each once. */
export const tellDialled = (dialled: readonly Dialled[]): string =>
  [
    ...new Set(
      dialled.map(
        answer => `${answer.probe === 'control' ? answer.host : (answer.address ?? answer.host)}:${answer.port}`,
      ),
    ),
  ].join(', ')

/** The hub, known by its certificate, at an address that the name does not lead to any more. */
export const hubAtLastGood = (evidence: Evidence, { host }: FailedAttempt): Answer<'tls'> | null =>
  answersOf(evidence, 'tls').find(answer => answer.host === host && answer.isLastGood && answer.error === null) ?? null

/** Whether a host beyond the gateway answered: then the road is there. */
export const somethingAnswers = ({ probes }: Pick<Evidence, 'probes'>): boolean =>
  probes.some(answer => isBeyond(answer) && answer.error === null)

/** A web server's own clock may be off by hours; by so much a certificate's dates begin to matter. */
export const farApartMs = 86_400_000

/** How far our clock is ahead of that of a server that was asked for its Date; negative: behind. `null` where none was. */
export function aheadOfServers(evidence: Evidence): Readonly<{ host: string; aheadMs: number }> | null {
  for (const { host, aheadMs } of answersOf(evidence, 'httpDate')) if (aheadMs !== null) return { host, aheadMs }
  return null
}

const isBeyond = ({ probe }: ProbeAnswer): boolean => probe !== 'gateway' && probe !== 'proxy'

/** A header says whole seconds, and a slow answer is late. */
const clockApartMs = 10_000

/** Every answer that helps to judge, as sentences for whoever reads the verdict. */
export function tellProbes(evidence: Evidence): string[] {
  return [
    ...answersOf(evidence, 'resolve').map(({ resolver, name, addresses, error }) =>
      error === null
        ? `Asked for ${name}, the resolver ${resolver} answered ${addresses.join(', ') || 'with nothing'}.`
        : `Asked for ${name}, the resolver ${resolver} did not find it: ${errorText(error)}.`,
    ),
    ...tellPorts(answersOf(evidence, 'connect')),
    ...answersOf(evidence, 'tls')
      .filter(({ isLastGood }) => isLastGood)
      .map(({ address, port, error }) =>
        error === null
          ? `At the last good address ${address}, port ${port}, the hub itself answers, by its certificate.`
          : `At the last good address ${address}, port ${port}, TLS fails: ${errorText(error)}.`,
      ),
    ...answersOf(evidence, 'control').map(({ host, port, error }) => `${host}:${port} ${whether(error)}.`),
    ...answersOf(evidence, 'proxy').map(({ host, port, error }) => `The proxy ${host}:${port} ${whether(error)}.`),
    ...answersOf(evidence, 'gateway').map(({ address, interface: name, error }) =>
      error === null
        ? `The gateway ${address} is there on ${name}.`
        : `The gateway ${address} does not answer on ${name}.`,
    ),
    ...answersOf(evidence, 'portal').map(tellPage),
    ...answersOf(evidence, 'httpDate').flatMap(({ host, aheadMs }) =>
      aheadMs === null || Math.abs(aheadMs) < clockApartMs
        ? []
        : [`By the clock of ${host}, ours is ${duration(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead'}.`],
    ),
  ]
}

const whether = (error: ProbeAnswer['error']): string =>
  error === null ? 'takes connections' : `takes none: ${errorText(error)}`

/** One sentence for each address: what is open and what is not is read together. */
function tellPorts(asked: readonly Answer<'connect'>[]): string[] {
  const addresses = [...new Set(asked.map(({ address }) => address))]
  return addresses.map(address => {
    const here = asked.filter(answer => answer.address === address)
    const open = here.filter(({ error }) => error === null).map(({ port }) => port)
    const shut = here.filter(({ error }) => error !== null)
    const where = `${here.some(({ isLastGood }) => isLastGood) ? 'At the last good address' : 'At'} ${address ?? 'the address of the hub'}`
    const told = [
      ...(open.length > 1 ? [`ports ${open.slice(0, -1).join(', ')} and ${open.at(-1)} take connections`] : []),
      ...(open.length === 1 ? [`port ${open[0]} takes connections`] : []),
      ...shut.map(({ port, error }) => `port ${port} takes none (${error?.code ?? error?.name})`),
    ]
    return `${where}, ${told.join(', ')}.`
  })
}

function tellPage({ url, status, location, isPortal, error }: Answer<'portal'>): string {
  if (error !== null) return `${url} was not answered as it should be: ${errorText(error)}.`
  if (!isPortal) return `${url} was answered by whom it was meant for.`
  return location === null
    ? `${url} was answered with status ${status} and another page than its own.`
    : `${url} was answered by sending us to ${location}.`
}
