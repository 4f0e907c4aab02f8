/** Whether there is something to sign in with: read, decoded, and fitting together. */
import { type Check, ok } from '../check.js'

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
