/** A client certificate and its key from PEM files: read together, held against each other, and never told. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import type { ClientCertificate } from './identity.js'
import { readSecretFile } from './secret-file.js'
import type { Secrets } from './secrets.js'

export type CertificateFiles = Readonly<{ certFile: string; keyFile: string; passphraseFile: string | null }>

export type Presented = Readonly<{
  certificate: ClientCertificate
  commonName: string | null
  expiresAt: string
  /** It has not begun. A clock that is wrong may say so too, so it is tried all the same. */
  warnings: readonly string[]
}>

/**
 * @param place the setting, `connection.x509`
 * @param secrets learns the key and the passphrase before anything else can see them
 */
export async function readClientCertificate(
  place: string,
  { certFile, keyFile, passphraseFile }: CertificateFiles,
  secrets: Secrets,
  nowMs: number,
): Promise<Presented | { problems: readonly string[] }> {
  const problems: string[] = []
  const read = async (name: string, path: string | null, expected: string): Promise<string | null> => {
    if (path === null) return null
    const found = await readSecretFile(`${place}.${name}`, path, expected)
    if ('text' in found) return found.text
    problems.push(found.problem)
    return null
  }
  const [keyText, passphrase, certText] = await Promise.all([
    read('keyFile', keyFile, 'a private key in PEM'),
    read('passphraseFile', passphraseFile, 'the passphrase of the private key'),
    read('certFile', certFile, 'a certificate in PEM'),
  ])
  if (keyText !== null) rememberKey(secrets, keyText)
  if (passphrase !== null) secrets.add('passphrase', passphrase)

  const key = keyText === null ? null : parseKey(keyText, passphrase, `${place}.keyFile: ${keyFile}`, problems)
  const chain = certText === null ? null : parseChain(certText, `${place}.certFile: ${certFile}`, problems)
  const leaf = chain?.[0]
  if (key && chain && leaf && !leaf.checkPrivateKey(key)) {
    const own = chain.findIndex(each => each.checkPrivateKey(key))
    problems.push(
      own > 0
        ? `${place}.certFile: ${certFile}: found the device's certificate at place ${own + 1}; expected it first, and then those that issued it`
        : `${place}.keyFile: ${keyFile}: found the key of another certificate; expected the key of ${certFile}`,
    )
  }
  if (problems.length > 0 || !key || !chain || !leaf) return { problems }

  const plain = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  rememberKey(secrets, plain)
  const certificate = { cert: chain.map(String).join(''), key: plain }
  try {
    tls.createSecureContext(certificate)
  } catch (error) {
    // Such as a key that is too short for this OpenSSL.
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    return {
      problems: [`${place}: found a certificate that TLS does not take: ${code}; expected one of 2048 bits or P-256`],
    }
  }
  const expiresAt = new Date(leaf.validTo).toISOString()
  return {
    certificate,
    commonName: /^CN=(.+)$/m.exec(leaf.subject)?.[1] ?? null,
    expiresAt,
    warnings: warningsOf(leaf, `${place}.certFile: ${certFile}`, nowMs),
  }
}

function parseKey(text: string, passphrase: string | null, place: string, problems: string[]): KeyObject | null {
  try {
    return createPrivateKey({ key: text, ...(passphrase === null ? {} : { passphrase }) })
  } catch (error) {
    // OpenSSL's words hold nothing of the key, and differ from release to release.
    const encrypted = /ENCRYPTED/.test(text)
    if (encrypted && passphrase === null) {
      problems.push(`${place}: found an encrypted key; expected a passphraseFile beside it`)
    } else if (encrypted) {
      problems.push(`${place}: found a key that the passphrase does not open; expected the passphrase of this key`)
    } else if (/BEGIN CERTIFICATE/.test(text)) {
      problems.push(`${place}: found a certificate; expected a private key in PEM`)
    } else if (error instanceof Error) {
      problems.push(`${place}: found something that is no private key; expected a private key in PEM`)
    } else throw error
    return null
  }
}

function parseChain(text: string, place: string, problems: string[]): X509Certificate[] | null {
  const pems = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g)
  if (!pems) {
    const found = /PRIVATE KEY-----/.test(text) ? 'a private key' : 'something that is no certificate'
    problems.push(`${place}: found ${found}; expected a certificate in PEM`)
    return null
  }
  try {
    return pems.map(pem => new X509Certificate(pem))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    problems.push(`${place}: found a certificate that cannot be parsed; expected a certificate in PEM`)
    return null
  }
}

function warningsOf({ validFrom }: X509Certificate, place: string, nowMs: number): string[] {
  const from = new Date(validFrom)
  return from.getTime() > nowMs ? [`${place}: the certificate begins only at ${from.toISOString()}`] : []
}

/** As PEM, and as the one long word that other programs make of it. */
function rememberKey(secrets: Secrets, pem: string): void {
  secrets.add('private-key', pem)
  for (const [, body = ''] of pem.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]*)-----END/g)) {
    secrets.add('private-key', body.trim())
    secrets.add('private-key', body.replace(/\s/g, ''))
  }
}
