/** Whether there is something to sign in with: read, decoded, and fitting together. */
import { AgentError } from '../../errors.js'
import { type Check, failed, ok } from '../check.js'

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
    const read = await secret().catch((error: unknown) => {
      if (error instanceof AgentError && error.problems.length > 0) return error
      throw error
    })
    if (read instanceof AgentError) return failed(read.problems.join('; '), undefined, whenUnread(read.problems))
    const { credential } = read
    const { kind, hub, deviceId, moduleId } = credential.claims
    const who = moduleId === null ? deviceId : `${deviceId}/${moduleId}`
    return ok(`${kindWords[kind]} of ${who}${hub === null ? '' : ` at ${hub}`}`, { kind, hub, deviceId, moduleId })
  },
}

/** What cannot be read need not be copied again. @returns `undefined` where it was read, and is wrong */
function whenUnread(problems: readonly string[]): readonly string[] | undefined {
  const of = (pattern: RegExp): boolean => problems.every(problem => pattern.test(problem))
  if (of(/cannot be read: E(ACCES|PERM)\b/))
    return [
      `Let the user that runs hubrec read the file (this is uid ${process.geteuid?.()}): \`chown USER FILE\`, and its directories \`chmod o+x\`.`,
      'Or run this as that user: `sudo -u USER hubrec doctor`, or as root.',
    ]
  if (of(/cannot be read: (ENOENT|ENOTDIR)\b/))
    return ['Put the file there, or set the path in the configuration to where it is.']
  if (of(/found quotes around it/)) return ['Take the quotes at its beginning and at its end away.']
  if (of(/\b(caFile|knownRootsFile)\b.*PEM/))
    return [
      'Put the certificate of the root as PEM text (`-----BEGIN CERTIFICATE-----`) into that file, or set the path to the file that has it.',
    ]
  return undefined
}

const kindWords = { key: 'a key', x509: 'a certificate', sas: 'a SAS token', edge: 'an IoT Edge identity' } as const
