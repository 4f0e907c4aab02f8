/** Whether somebody keeps the clock right, as far as the host says. */
import { readSynchronised } from '../../evidence/samples/clock.js'
import { type Check, ok, skipped, warning } from '../check.js'
import { clockRemedies, clockWhy } from '../clock-words.js'

export const clockSynchronised: Check = {
  id: 'clock-synchronised',
  family: 'clock',
  question: 'Is the clock kept right by a time server?',
  why: clockWhy,
  remedies: clockRemedies,
  needs: [],
  async ask({ roots }) {
    const synchronised = await readSynchronised(roots.runRoot)
    if (synchronised === null) return skipped('the host does not say; where chrony runs, `chronyc tracking` does')
    return synchronised ? ok('the host says so') : warning('the host says that it is not synchronised')
  },
}
