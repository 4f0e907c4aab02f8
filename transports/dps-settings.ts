/** The credential of a device that is provisioned: its settings and its proof, checked at start, and read again. */
import { type CertificateFiles, readClientCertificate } from './client-certificate.js'
import { problemsOfKey, readAddress } from './connection-string.js'
import { type Credential, CredentialError } from './identity.js'
import { type AssignmentStore, type Proof, type Provisioned, provisionedCredential } from './provisioned.js'
import { problemOfPackages } from './provisioning.js'
import { readSecretFile } from './secret-file.js'
import type { Secrets } from './secrets.js'

export type DpsSettings = Readonly<{
  /** Host name, with a port if one is needed. */
  endpoint: string
  idScope: string
  registrationId: string
  /** One of the two. */
  symmetricKeyFile: string | null
  x509: CertificateFiles | null
}>

export type Provisioning = Readonly<{
  store: AssignmentStore
  roads: Provisioned['roads']
  /** In place of loading them, for tests. */
  loadPackages?: () => Promise<unknown>
}>

type Given = Readonly<{
  /** Without it the secrets are read and checked, and nobody can be asked. */
  provisioning: Provisioning | undefined
  /** Problems that were found before. */
  clashes: readonly string[]
  secrets: Secrets
  now(): number
}>

/** @throws CredentialError with everything that is wrong */
export async function loadProvisioned(
  { endpoint, idScope, registrationId, symmetricKeyFile, x509 }: DpsSettings,
  { provisioning, clashes, secrets, now }: Given,
): Promise<Credential> {
  const problems = [...clashes]
  readAddress('connection.dps.endpoint', endpoint, true, problems)
  if (!/^[A-Za-z0-9]{1,64}$/.test(idScope)) {
    problems.push('connection.dps.idScope: found no ID scope; expected letters and digits, such as 0ne00000000')
  }
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9\-._:]{0,126}[A-Za-z0-9])?$/.test(registrationId)) {
    problems.push(
      'connection.dps.registrationId: found no registration id; expected up to 128 letters, digits and - . _ : within',
    )
  }
  const prove = async (): Promise<Proof> => {
    if (x509 !== null) {
      const read = await readClientCertificate('connection.dps.x509', x509, secrets, now())
      if ('problems' in read) throw new CredentialError(read.problems)
      const { certificate, expiresAt, commonName, warnings } = read
      // The service does not look at the case.
      if (commonName?.toLowerCase() !== registrationId.toLowerCase()) {
        throw new CredentialError([
          `connection.dps.x509.certFile: ${x509.certFile}: found a certificate for ${JSON.stringify(commonName)}; expected CN=${registrationId}, the registration id`,
        ])
      }
      return { proof: { certificate }, expiresAt, warnings }
    }
    return { proof: { key: await readKey(symmetricKeyFile ?? '', secrets) }, expiresAt: null, warnings: [] }
  }
  const [missing, first] = await Promise.all([
    problemOfPackages(provisioning?.loadPackages),
    prove().catch((error: unknown) => {
      if (!(error instanceof CredentialError)) throw error
      problems.push(...error.problems)
      return null
    }),
  ])
  if (missing !== null) problems.push(missing)
  if (problems.length > 0 || first === null) throw new CredentialError(problems)
  const { store, roads } = provisioning ?? nowhere
  return provisionedCredential({ enrolment: { endpoint, idScope, registrationId }, prove, store, roads }, first)
}

/** For those who only want the secrets to be known. */
const nowhere = {
  store: { read: async () => null, write: async () => undefined },
  roads: (): never => {
    throw new Error('nobody can be asked from here')
  },
}

async function readKey(path: string, secrets: Secrets): Promise<string> {
  const setting = 'connection.dps.symmetricKeyFile'
  const read = await readSecretFile(setting, path, 'a key in base64, as the portal shows it')
  if ('problem' in read) throw new CredentialError([read.problem])
  secrets.add('shared-access-key', read.text)
  const problems = problemsOfKey(`${setting}: ${path}`, read.text)
  if (problems.length > 0) throw new CredentialError(problems)
  return read.text
}
