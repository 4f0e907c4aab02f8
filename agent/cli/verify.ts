/** `hubrec verify`: the truth about a ring directory or a bundle. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { verifyBundle } from '../bundle/unzip.js'
import { AgentError } from '../errors.js'
import type { RingHealth } from '../ring/ring.js'
import { ringIsWhole, verifyRing } from '../ring/verify.js'
import type { Command } from './command.js'
import { sourceOptions } from './options.js'
import { stateDirOf } from './source.js'

const { config, 'state-dir': stateDir } = sourceOptions

export const verify: Command = {
  name: 'verify',
  summary: 'check every segment of a ring, or every entry of a bundle',
  usage: '[PATH]',
  details: [
    'PATH is a ring directory, a state directory or a bundle; without it, the configured ring.',
    'Exits 1 whenever a record is known to be lost without a gap record of the writer. A torn end alone is fine:',
    'that is how a ring looks whose writer was killed or is at work.',
  ].join('\n'),
  options: { config, 'state-dir': stateDir },
  positionalsMax: 1,
  async run(values, [given], io) {
    const path = given ?? join(await stateDirOf(values, io), 'ring')
    const parts: RingHealth[] = []
    for await (const health of await open(path)) {
      parts.push(health)
      io.print(values.json ? JSON.stringify(health) : describe(health))
    }
    const whole = ringIsWhole(parts)
    if (!values.json) {
      const records = parts.reduce((sum, part) => sum + part.records, 0)
      const lost = parts.reduce((sum, part) => sum + part.lost, 0)
      io.print(whole ? `whole: ${records} records` : `damaged: ${records} records are sound, ${lost} are lost`)
    }
    return whole ? 0 : 1
  },
}

async function open(path: string): Promise<AsyncIterable<RingHealth>> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AgentError('USAGE', `${path} cannot be read: ${error.code}`)
  })
  if (!found.isDirectory()) return verifyBundle(path)
  const inner = join(path, 'ring')
  const hasRing = await stat(inner).then(
    entry => entry.isDirectory(),
    () => false,
  )
  return verifyRing(hasRing ? inner : path)
}

const describe = ({ path, status, records, lost, reason }: RingHealth): string =>
  `${status.padEnd(8)} ${path}  ${records} records${lost > 0 ? `, ${lost} lost` : ''}${reason ? `: ${reason}` : ''}`
