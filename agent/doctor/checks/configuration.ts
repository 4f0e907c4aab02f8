/** Whether the configuration can be read, and nobody but its owner can read what is secret. */
import { stat } from 'node:fs/promises'
import type { Config } from '../../config/config.js'
import { AgentError } from '../../errors.js'
import { isForbidden, isMissing } from '../../exists.js'
import { type Check, failed, ok, warning } from '../check.js'

export const configuration: Check = {
  id: 'configuration',
  family: 'configuration',
  question: 'Can the configuration be read, and its secrets only by whom they are for?',
  why: 'Without a configuration hubrec does not start; with secrets that everybody can read, anybody can be this device.',
  remedies: ['Mend what is named; `hubrec doctor` says all that is wrong at once.'],
  needs: [],
  async ask({ config }) {
    const loading = await config().catch((error: unknown) => {
      if (error instanceof AgentError && error.problems.length > 0) return error
      throw error
    })
    // The message says in which file, and the problems at which of its places.
    if (loading instanceof AgentError)
      return failed(`${loading.message.replace(/^\w+: /, '')}: ${loading.problems.join('; ')}`)
    const { config: found, from } = loading
    const open = (await Promise.all(secretFiles(found).map(isOpen))).flatMap(each => each ?? [])
    if (open.length === 0) return ok(from, { from })
    return warning(`${from}; everybody on this host can read ${open.join(', ')}`, { from, open }, [
      `Run \`chmod o-rwx ${open.join(' ')}\`.`,
    ])
  },
}

function secretFiles({ connection }: Config): string[] {
  const { connectionStringFile, x509, sasTokenFile, dps, proxyCredentialsFile } = connection
  const files = [
    connectionStringFile,
    x509?.keyFile,
    x509?.passphraseFile,
    sasTokenFile,
    dps?.symmetricKeyFile,
    dps?.x509?.keyFile,
    dps?.x509?.passphraseFile,
    proxyCredentialsFile,
  ]
  return files.filter(file => typeof file === 'string')
}

const othersRead = 0o004

/** What is not there, or not for us, is the affair of the check that reads it. */
async function isOpen(file: string): Promise<string | null> {
  try {
    const found = await stat(file)
    return found.isFile() && (found.mode & othersRead) !== 0 ? file : null
  } catch (error) {
    if (isMissing(error) || isForbidden(error)) return null
    throw error
  }
}
