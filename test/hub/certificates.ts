/** The hub's certificate authority, made afresh at each start, and every good and bad certificate it can show. */

import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { type ClientAuthority, makeClientAuthority } from './client-certificates.js'

export type CertificateKind =
  | 'good'
  /** Ended yesterday. */
  | 'expired'
  /** Begins in a year. */
  | 'notYetValid'
  /** Right name, right dates, signed by itself. */
  | 'selfSigned'
  /** From the right authority, for another host. */
  | 'wrongName'
  /** The right name from another authority, which is sent along: a corporate proxy that inspects TLS. */
  | 'unknownCa'

export type KeyPair = Readonly<{ cert: string; key: string }>

export type Authority = Readonly<{
  /** PEM of the root that clients are to trust. */
  ca: string
  issue(kind: CertificateKind): Promise<KeyPair>
  /** Of devices that sign in by certificate. */
  clients: ClientAuthority
}>

/** Elliptic keys because they are made in a millisecond. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 24 * 60 * 60 * 1000

/** @param hostName named in the certificates beside `localhost`, the loopback addresses and `*.azure-devices.net` */
export async function makeAuthority(hostName: string): Promise<Authority> {
  const root = await makeRoot('CN=Local IoT Hub Root, O=Local IoT Hub')
  const names = ['localhost', '*.azure-devices.net', ...(hostName === 'localhost' ? [] : [hostName])]

  return {
    ca: root.certificate.toString('pem'),
    clients: await makeClientAuthority(),
    async issue(kind) {
      switch (kind) {
        case 'good':
          return issueLeaf(root, hostName, names, [-1, 365])
        case 'expired':
          return issueLeaf(root, hostName, names, [-20, -1])
        case 'notYetValid':
          return issueLeaf(root, hostName, names, [365, 730])
        case 'selfSigned':
          return issueLeaf(null, hostName, names, [-1, 365])
        case 'wrongName':
          return issueLeaf(root, 'other.example', ['other.example'], [-1, 365])
        case 'unknownCa': {
          const inspector = await makeRoot(inspectorName)
          return withRoot(await issueLeaf(inspector, hostName, names, [-1, 365]), inspector)
        }
      }
    },
  }
}

const inspectorName = 'CN=Example Corp TLS Inspection, O=Example Corp'

/** Whoever inspects TLS has an authority of its own, and makes a certificate for any name that it is asked for. */
export type Inspector = Readonly<{
  ca: string
  issueFor(hostName: string): Promise<KeyPair>
}>

export async function makeInspector(): Promise<Inspector> {
  const root = await makeRoot(inspectorName)
  return {
    ca: root.certificate.toString('pem'),
    issueFor: async hostName => withRoot(await issueLeaf(root, hostName, [hostName], [-1, 365]), root),
  }
}

const withRoot = ({ cert, key }: KeyPair, root: Root): KeyPair => ({
  cert: `${cert}\n${root.certificate.toString('pem')}`,
  key,
})

type Root = Readonly<{ certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair }>

async function makeRoot(name: string): Promise<Root> {
  const keys = await makeKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    ...validity([-30, 3650]),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate, keys }
}

/** @param root `null` signs with the certificate's own key */
async function issueLeaf(
  root: Root | null,
  commonName: string,
  names: readonly string[],
  days: readonly [number, number],
): Promise<KeyPair> {
  const keys = await makeKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${commonName}`,
    issuer: root?.certificate.subject ?? `CN=${commonName}`,
    ...validity(days),
    publicKey: keys.publicKey,
    signingKey: (root?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map(value => ({ type: 'dns' as const, value })),
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create((root?.keys ?? keys).publicKey),
    ],
  })
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(der, 'PRIVATE KEY') }
}

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** A leading zero bit, because the number is signed. */
const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`

const validity = ([from, to]: readonly [number, number]) => ({
  notBefore: new Date(Date.now() + from * dayMs),
  notAfter: new Date(Date.now() + to * dayMs),
})
