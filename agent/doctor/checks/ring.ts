/** Whether what was recorded can be read. */
import { join } from 'node:path'
import { exists, isForbidden } from '../../exists.js'
import { ringIsWhole, verifyRing } from '../../ring/verify.js'
import { type Check, failed, ok, skipped } from '../check.js'

export const ring: Check = {
  id: 'ring',
  family: 'recorder',
  question: 'Is the ring on the disk, and whole?',
  why: 'What is in memory alone a power cut takes; damaged blocks are records that are gone, and often the first sign of a medium that ends.',
  remedies: [
    'Run `hubrec verify` for the details.',
    'Look at `dmesg` for errors of the medium; replace an SD card that has them.',
  ],
  needs: ['configuration'],
  async ask({ config, daemon }, signal) {
    // One that does not answer is the affair of the check `daemon`.
    const kept = (await daemon().catch(() => null))?.ring
    if (kept && 'mode' in kept && kept.mode === 'memory')
      return failed(
        `it is in memory, because the disk refuses: ${kept.refusal ?? 'unknown error'}; ${kept.lostUnsaid} records are lost so far`,
        { dir: kept.dir, mode: kept.mode, lost: kept.lostUnsaid },
        ['Mend what `disk` says: the ring goes back to the disk by itself, and says what was lost.'],
      )
    const dir = join((await config()).config.stateDir, 'ring')
    try {
      if (!(await exists(dir))) return skipped(`there is none yet at ${dir}`)
    } catch (error) {
      if (isForbidden(error)) return skipped(`this user may not look at ${dir}`)
      throw error
    }
    const healths = []
    for await (const health of verifyRing(dir)) {
      signal.throwIfAborted()
      healths.push(health)
    }
    const records = healths.reduce((sum, each) => sum + each.records, 0)
    const info = { dir, segments: healths.length, records }
    if (ringIsWhole(healths)) return ok(`${records} records in ${healths.length} segments`, info)
    const bad = healths.filter(({ status }) => status === 'damaged')
    return failed(`${bad.length} of ${healths.length} segments are damaged: ${bad[0]?.reason}`, {
      ...info,
      damaged: bad.map(({ path }) => path),
    })
  },
}
