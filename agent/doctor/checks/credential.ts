/** Whether there is something to sign in with: read, decoded, and fitting together. */
import { type Check, ok, warning } from '../check.js'

export const credential: Check = {
  id: 'credential',
  family: 'configuration',
  question: 'Is the credential well-formed and complete?',
  why: 'A connection string that was cut, a key that is no base64 or a certificate that does not fit its key never signs in.',
  remedies: [
    'Copy the connection string or the files again from where they are from; compare with docs/credentials.md.',
  ],
  needs: ['configuration'],
  async ask({ secret }) {
    const { credential } = await secret()
    const { kind, hub, deviceId, moduleId } = credential.claims
    const who = moduleId === null ? deviceId : `${deviceId}/${moduleId}`
    return ok(`${kindWords[kind]} of ${who}${hub === null ? '' : ` at ${hub}`}`, { kind, hub, deviceId, moduleId })
  },
}

const kindWords = { key: 'a key', x509: 'a certificate', sas: 'a SAS token', edge: 'an IoT Edge identity' } as const

/** Whether the device knows by now which hub is its own, and with what: asks the provisioning service where there is one. */
export const identity: Check = {
  id: 'identity',
  family: 'configuration',
  question: 'Is it known which hub this device belongs to, and until when its credential is good?',
  why: 'A device that is provisioned has no hub until the provisioning service names one; a certificate or a token that has ended is refused.',
  remedies: [
    'Where a provisioning service is asked: check the enrollment, the ID scope and the registration ID in the portal.',
    'Renew the certificate or the token.',
  ],
  needs: ['credential'],
  async ask({ identity, clock }) {
    const { hub, host, gateway, expiresAt, warnings } = await identity()
    const where = gateway ? `${hub}, through the gateway ${host}` : hub
    const info = { hub, host, expiresAt }
    if (warnings.length > 0) return warning([where, ...warnings].join('; '), info)
    if (expiresAt === null) return ok(where, info)
    const leftMs = Date.parse(expiresAt) - clock.now().wallMs
    if (leftMs <= 0) throw new Error(`the credential ended at ${expiresAt}, by the clock of this device`)
    const days = Math.floor(leftMs / 86_400_000)
    const found = `${where}; the credential ends at ${expiresAt}`
    return days < noticeDays ? warning(`${found}, in ${days} days`, info) : ok(found, info)
  },
}

const noticeDays = 30
