/** The certificates of devices: an authority that the hub takes them from, and what the hub sees of one that is shown. */

import 'reflect-metadata'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import type { KeyPair } from './certificates.js'

/** By which certificates a device signs in: these two, or any of the authority that carries the device's id. */
export type CertificateRule = Readonly<{ thumbprints: readonly string[] }> | 'ca'

export type ClientAuthority = Readonly<{
  /** PEM of the root, as it would be uploaded to the hub and verified there. */
  ca: string
  /** @param days when it begins and ends, from now; by default since yesterday, for a year */
  issue(commonName: string, days?: readonly [from: number, to: number]): Promise<KeyPair>
}>

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 24 * 60 * 60 * 1000
const aYear = [-1, 365] as const

export async function makeClientAuthority(): Promise<ClientAuthority> {
  const keys = await makeKeys()
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Local Device Root, O=Local IoT Hub',
    ...validity([-30, 3650]),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return {
    ca: root.toString('pem'),
    issue: (commonName, days = aYear) => issue({ subject: root.subject, keys }, commonName, days),
  }
}

/** For a device that the hub knows by thumbprint. */
export const makeSelfSigned = (
  commonName: string,
  days: readonly [from: number, to: number] = aYear,
): Promise<KeyPair> => issue(null, commonName, days)

/** SHA-256 in hexadecimal, as the portal takes it; it also takes SHA-1. */
export const thumbprintOf = ({ cert }: KeyPair): string =>
  createHash('sha256')
    .update(Buffer.from(new x509.X509Certificate(cert).rawData))
    .digest('hex')
    .toUpperCase()

type Issuer = Readonly<{ subject: string; keys: webcrypto.CryptoKeyPair }>

async function issue(issuer: Issuer | null, commonName: string, days: readonly [number, number]): Promise<KeyPair> {
  const keys = await makeKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${commonName}`,
    issuer: issuer?.subject ?? `CN=${commonName}`,
    ...validity(days),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  })
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(der, 'PRIVATE KEY') }
}

/** What a client has shown in its handshake. */
export type Shown = Readonly<{
  commonName: string
  /** SHA-1 and SHA-256, in hexadecimal without colons. */
  thumbprints: readonly string[]
  /** Whether it is of the authority of devices, and in its time. */
  issuedByAuthority: boolean
  inItsTime: boolean
}>

export function shownBy(tls: TLSSocket): Shown | null {
  const shown = tls.getPeerCertificate()
  if (!shown?.raw) return null
  const nowMs = Date.now()
  const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toUpperCase()
  return {
    commonName: String(shown.subject.CN ?? ''),
    thumbprints: [plain(shown.fingerprint), plain(shown.fingerprint256)],
    issuedByAuthority: tls.authorized,
    inItsTime: Date.parse(shown.valid_from) <= nowMs && nowMs <= Date.parse(shown.valid_to),
  }
}

/** @returns why a device that signs in by certificate is refused, or `null` */
export function faultOfCertificate(shown: Shown | null, rule: CertificateRule, deviceId: string): string | null {
  if (shown === null) return 'no client certificate was shown'
  if (!shown.inItsTime) return 'the client certificate has ended, or has not begun'
  if (rule === 'ca') {
    if (!shown.issuedByAuthority) return 'the client certificate is of an authority that is not registered'
    return shown.commonName === deviceId ? null : `the client certificate is for ${shown.commonName}`
  }
  const known = rule.thumbprints.map(thumbprint => thumbprint.toUpperCase())
  return shown.thumbprints.some(each => known.includes(each)) ? null : 'the thumbprint is not registered'
}

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** A leading zero bit, because the number is signed. */
const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`

const validity = ([from, to]: readonly [number, number]) => ({
  notBefore: new Date(Date.now() + from * dayMs),
  notAfter: new Date(Date.now() + to * dayMs),
})
