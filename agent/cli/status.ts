/** `hubrec status`: how it is now, from the running daemon, or from the ring alone. */
import { join, resolve } from 'node:path'
import { loadConfig } from '../config/load.js'
import { askDaemon } from '../control.js'
import { duration } from '../diagnosis/words.js'
import { type Status, statusFromRing } from '../status.js'
import { type Command, type Io, text, type Values } from './command.js'
import { sourceOptions } from './options.js'

const { config, 'state-dir': stateDir } = sourceOptions

export const status: Command = {
  name: 'status',
  summary: 'the connection, the last verdict, the ring and the outbox',
  usage: '',
  details: 'From the running daemon; when none answers, from what lies on the disk, and then it exits 1.',
  options: { config, 'state-dir': stateDir },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    const { socket, dir } = await placesOf(values, io)
    const live = (await askDaemon(socket, 'status')) as Status | null
    const found = live ?? (await statusFromRing(dir))
    if (values.json) io.print(JSON.stringify(found))
    else for (const line of describe(found)) io.print(line)
    return live ? 0 : 1
  },
}

async function placesOf(values: Values, io: Io): Promise<{ socket: string; dir: string }> {
  const given = text(values, 'state-dir')
  if (given !== undefined) return { socket: join(resolve(given), 'control.sock'), dir: resolve(given) }
  const { config } = await loadConfig({ file: text(values, 'config'), env: io.env })
  return { socket: config.controlSocket, dir: config.stateDir }
}

function describe(status: Status): string[] {
  const { daemon, connection, episode, lastEpisode, conditions, ring, outbox, device } = status
  const age = connection.sessionAgeMs === null ? '' : ` for ${duration(connection.sessionAgeMs)}`
  const methods =
    connection.state === 'online' ? `, methods ${connection.methods ? 'answered' : 'not yet subscribed'}` : ''
  const verdict = lastEpisode
    ? `${lastEpisode.verdict.cause} (${lastEpisode.verdict.confidence}) at ${lastEpisode.startedAt}: ${lastEpisode.verdict.title}`
    : 'none'
  return [
    `daemon      ${daemon}${daemon === 'down' ? `, last record ${status.lastRecordAt ?? 'never'}` : ` since ${status.startedAt}`}`,
    ...(device
      ? [`device      ${device.deviceId}${device.moduleId ? `/${device.moduleId}` : ''} at ${device.hub}`]
      : []),
    `connection  ${connection.state}${age}, ${connection.protocol}${methods}`,
    ...(episode
      ? [`outage      since ${episode.startedAt}: ${episode.verdict.cause} (${episode.verdict.confidence})`]
      : []),
    `last        ${verdict}`,
    ...(lastEpisode?.verdict.nextSteps.slice(0, 1).map(step => `do          ${step}`) ?? []),
    ...conditions.map(({ severity, text }) => `${severity.padEnd(11)} ${text}`),
    `ring        ${fill(ring)} in ${ring.segments} segments at ${ring.dir}`,
    `outbox      ${outbox.waiting} waiting, ${mebibytes(outbox.bytes)}`,
  ]
}

const fill = ({ bytes, budgetBytes }: Status['ring']): string =>
  budgetBytes === null
    ? mebibytes(bytes)
    : `${mebibytes(bytes)} of ${mebibytes(budgetBytes)} (${Math.round((bytes / budgetBytes) * 100)} %)`

const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`
