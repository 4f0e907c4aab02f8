/** Whom a connection trusts, and what a chain that failed would have led to. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { cloudOf } from './clouds.js'
import type { Identity } from './identity.js'
import { isoTime } from './iso-time.js'
import { knownRoots } from './known-roots.js'
import type { ServerCertificate } from './wire-event.js'

export type Trust = Readonly<{
  /** The system's roots, those of NODE_EXTRA_CA_CERTS and the configured file: whoever passes `ca` to Node replaces all. */
  ca: readonly string[]
  /** The same for TLS sockets. Made once: reading 150 roots takes as long as a handshake. */
  context: tls.SecureContext
  /** For the TLS to a proxy, which is shown no client certificate: it is not the one who knows us by it. */
  proxyContext: tls.SecureContext
  /** For the verdict only: does a chain lead to a root that IoT Hub is known to use? */
  knownRoots: readonly X509Certificate[]
  /** Somebody has said of this host that it chains to these and to no other. */
  isKnownToBeAll: boolean
}>

export interface LivingTrust {
  /** One object for all who look at it, each time they do: what is read anew counts for them too. */
  readonly trust: Trust
  /** @throws as `createTrust` does, and leaves it as it was */
  renew(caPem: string | null, knownPem: string | null): void
}

/** Trust whose files may be replaced while it is used. @throws as `createTrust` does */
export function createLivingTrust(caPem: string | null, knownPem: string | null): LivingTrust {
  let texts = [caPem, knownPem]
  let now = createTrust(caPem, knownPem)
  return {
    trust: {
      get ca() {
        return now.ca
      },
      get context() {
        return now.context
      },
      get proxyContext() {
        return now.proxyContext
      },
      get knownRoots() {
        return now.knownRoots
      },
      get isKnownToBeAll() {
        return now.isKnownToBeAll
      },
    },
    renew(caPem, knownPem) {
      // Making it reads all roots again, and most files are as they were.
      if (texts[0] === caPem && texts[1] === knownPem) return
      now = createTrust(caPem, knownPem)
      texts = [caPem, knownPem]
    },
  }
}

/** Chains are short; a longer one is somebody's trick. */
const chainMax = 10

/**
 * @param caPem text of the configured CA file; adds to the system's roots
 * @param knownPem the roots IoT Hub is known to chain to, in place of those shipped
 * @throws Error when a PEM text holds no certificate or one that cannot be read
 */
export function createTrust(caPem: string | null, knownPem: string | null): Trust {
  const extra = process.env.NODE_EXTRA_CA_CERTS
  const ca = [...tls.rootCertificates, ...(extra ? readOptional(extra) : []), ...(caPem === null ? [] : split(caPem))]
  const context = tls.createSecureContext({ ca, minVersion: 'TLSv1.2' })
  return {
    ca,
    context,
    proxyContext: context,
    knownRoots: knownPem === null ? shippedRoots() : split(knownPem).map(pem => new X509Certificate(pem)),
    isKnownToBeAll: knownPem !== null,
  }
}

/**
 * The same trust for an identity: it shows its certificate to whoever asks for one, and trusts what its gateway told it to.
 *
 * @throws Error when the bundle holds no certificate
 */
export function trustOf(trust: Trust, { clientCertificate, trustBundle }: Shown): Trust {
  if (clientCertificate === null && trustBundle === null) return trust
  const content = JSON.stringify([clientCertificate, trustBundle])
  const known = lastMade.get(trust)
  if (known?.content === content && known.of === trust.context) return known.made
  const ca = [...trust.ca, ...(trustBundle === null ? [] : split(trustBundle))]
  const context = tls.createSecureContext({ ca, minVersion: 'TLSv1.2', ...clientCertificate })
  const made = { ...trust, ca, context }
  lastMade.set(trust, { content, of: trust.context, made })
  return made
}

type Shown = Pick<Identity, 'clientCertificate' | 'trustBundle'>

/** Most incarnations are of the identity before, and making a context reads all roots again. */
const lastMade = new WeakMap<Trust, Readonly<{ content: string; of: tls.SecureContext; made: Trust }>>()

/** For a chain that failed at a host: one that is no hub of a cloud may have a root that nobody but its owner knows. */
export const judgedBy = ({ knownRoots, isKnownToBeAll }: Trust, host: string): Judges => ({
  knownRoots,
  areAll: isKnownToBeAll || cloudOf(host) !== null,
})

export type Judges = Readonly<{ knownRoots: readonly X509Certificate[]; areAll: boolean }>

/** What a server showed, as plain data; the question about the root is asked only where the chain failed. */
export function describeCertificate(peer: tls.DetailedPeerCertificate, judges: Judges | null): ServerCertificate {
  const shown = new X509Certificate(peer.raw)
  return {
    subject: oneLine(shown.subject),
    issuer: oneLine(shown.issuer),
    validFrom: isoTime(Date.parse(shown.validFrom)),
    validTo: isoTime(Date.parse(shown.validTo)),
    altNames: (shown.subjectAltName ?? '').slice(0, 500),
    fingerprint256: shown.fingerprint256,
    knownRoot: judges && (leadsTo(judges.knownRoots, sentChain(peer)) || (judges.areAll ? false : null)),
  }
}

function sentChain(leaf: tls.DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: tls.DetailedPeerCertificate | undefined = leaf
  while (next?.raw && chain.length < chainMax) {
    const certificate: X509Certificate = new X509Certificate(next.raw)
    if (chain.some(seen => seen.fingerprint256 === certificate.fingerprint256)) break
    chain.push(certificate)
    next = next.issuerCertificate
  }
  return chain
}

/** Signatures are checked all the way, dates and names are not: this asks who made the chain and nothing else. */
function leadsTo(roots: readonly X509Certificate[], chain: readonly X509Certificate[]): boolean {
  let current = chain[0]
  for (let step = 0; current !== undefined && step < chainMax; step++) {
    const child: X509Certificate = current
    const issuedBy = (issuer: X509Certificate): boolean => child.checkIssued(issuer) && child.verify(issuer.publicKey)
    if (roots.some(root => root.fingerprint256 === child.fingerprint256 || issuedBy(root))) return true
    current = chain.find(candidate => candidate.fingerprint256 !== child.fingerprint256 && issuedBy(candidate))
  }
  return false
}

const oneLine = (name: string): string => name.split('\n').join(', ').slice(0, 300)

const split = (pem: string): string[] => {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g)
  if (!found) throw new Error('expected at least one PEM certificate')
  for (const each of found) new X509Certificate(each)
  return found
}

/** Node itself only warns when NODE_EXTRA_CA_CERTS cannot be read; so do we not fail on it. */
function readOptional(file: string): string[] {
  try {
    return split(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof Error) return []
    throw error
  }
}

/** The roots IoT Hub is known to chain to, for a process that has no Trust of its own. */
export const shippedRoots = (): X509Certificate[] => knownRoots.map(({ pem }) => new X509Certificate(pem))
