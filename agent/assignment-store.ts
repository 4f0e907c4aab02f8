/** Keeps over restarts which hub the provisioning service has assigned, because the service is asked as seldom as possible. */
import { readFile } from 'node:fs/promises'
import type { AssignmentStore } from '../transports/provisioned.js'
import { writeFileDurably } from './durable-file.js'

/** The hub's name is no secret, but it is nobody else's business either. */
const mode = 0o600

/** @param warn told of what the disk refuses: the service is asked again at the next start */
export function assignmentStore(path: string, warn: (message: string) => void): AssignmentStore {
  return {
    async read() {
      try {
        return JSON.parse(await readFile(path, 'utf8')) as unknown
      } catch (error) {
        if (!(error instanceof Error)) throw error
        // Before the first assignment there is none.
        if (!('code' in error && error.code === 'ENOENT')) warn(`the kept assignment cannot be read: ${error.message}`)
        return null
      }
    },
    async write(assignment) {
      try {
        await writeFileDurably(path, `${JSON.stringify(assignment)}\n`, mode)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        warn(`the assignment cannot be kept: ${error.message}`)
      }
    },
  }
}
