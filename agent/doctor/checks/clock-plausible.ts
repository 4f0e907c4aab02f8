/** Whether the clock can be right at all: one that lost its battery begins in the past. */
import { isPlausible } from '../../release.js'
import { type Check, failed, ok } from '../check.js'
import { clockRemedies, clockWhy } from '../clock-words.js'

export const clockPlausible: Check = {
  id: 'clock-plausible',
  family: 'clock',
  question: 'Can the clock be right?',
  why: clockWhy,
  remedies: clockRemedies,
  needs: [],
  async ask({ clock }) {
    const { wallMs } = clock.now()
    const wall = new Date(wallMs).toISOString()
    return isPlausible(wallMs) ? ok(wall, { wall }) : failed(`it reads ${wall}, which cannot be true`, { wall })
  },
}
