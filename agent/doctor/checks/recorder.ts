/** The recorder itself: whether it runs, whether its ring is whole. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ringIsWhole, verifyRing } from '../../ring/verify.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

export const daemon: Check = {
  id: 'daemon',
  family: 'recorder',
  question: 'Does the recorder run, and is it connected?',
  why: 'Only what runs records; what it says of an outage is the best evidence there is.',
  remedies: [
    'Run `systemctl status hubrec` and `journalctl -u hubrec -n 50`.',
    'Run `hubrec episodes --since 1h` and do what the verdict says.',
  ],
  needs: ['configuration'],
  async ask({ daemon, config }) {
    const status = await daemon()
    if (status === null) {
      const { controlSocket } = (await config()).config
      return warning(
        `nobody answers at ${controlSocket}: it does not run, or this user may not ask it`,
        { controlSocket },
        ['Run `systemctl start hubrec`, or `hubrec run`; ask as root or as a member of the group hubrec.'],
      )
    }
    const { connection, episode } = status
    const info = { connection, conditions: status.conditions }
    if (connection.state === 'online') return ok(`connected over ${connection.protocol}`, info)
    const verdict =
      episode === null ? '' : `: ${episode.verdict.cause} (${episode.verdict.confidence}), ${episode.verdict.title}`
    return failed(`it runs and is not connected${verdict}`, info, episode?.verdict.nextSteps.slice(0, 3))
  },
}

/** A method that is answered later than this, an operator takes for lost: the service waits for 30 s by default. */
const slowMs = 5_000

export const methods: Check = {
  id: 'methods',
  family: 'recorder',
  question: 'Are direct methods answered, and how soon?',
  why: 'A device that is connected and deaf looks well in the portal, and nobody gets anything from it.',
  remedies: ['Restart the recorder; where the hub refuses the subscription, look at its tier: methods need Standard.'],
  needs: ['daemon'],
  async ask(facts) {
    const status = await facts.daemon()
    if (status === null) return skipped('nobody is there to answer them')
    if (!status.connection.methods) return failed('the hub has not answered the subscription')
    const found = (await facts.ask('method')) as { answerMs: number; roundTripMs: number | null } | null
    if (found === null) return warning('subscribed; the recorder did not say how long it takes')
    const { answerMs, roundTripMs } = found
    const wholeMs = answerMs + (roundTripMs ?? 0)
    const road = roundTripMs === null ? 'the road is not measured yet' : `${Math.round(roundTripMs)} ms on the road`
    const told = `answered in ${answerMs.toFixed(1)} ms here, and ${road}`
    return wholeMs > slowMs ? warning(told, found) : ok(told, found)
  },
}

export const ring: Check = {
  id: 'ring',
  family: 'recorder',
  question: 'Is the ring whole?',
  why: 'Damaged blocks are records that are gone, and often the first sign of a medium that ends.',
  remedies: [
    'Run `hubrec verify` for the details.',
    'Look at `dmesg` for errors of the medium; replace an SD card that has them.',
  ],
  needs: ['configuration'],
  async ask({ config }, signal) {
    const dir = join((await config()).config.stateDir, 'ring')
    if (
      await stat(dir).then(
        () => false,
        () => true,
      )
    )
      return skipped(`there is none yet at ${dir}`)
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
