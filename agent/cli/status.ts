/** `hubrec status`: how it is now, from the running daemon, or from the ring alone. */
import { stat } from 'node:fs/promises'
import { askRunning, SilentDaemon } from '../control.js'
import { duration } from '../diagnosis/words.js'
import { type ApplicationStatus, deviceName, type Status, statusFromRing } from '../status.js'
import type { TaskSummary } from '../upload/task.js'
import type { Command, Io } from './command.js'
import { mebibytes } from './mebibytes.js'
import { sourceOptions } from './options.js'
import { placesOf } from './source.js'

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
    const live = await askRunning({ socket, stateDir: dir }, 'status').catch((error: unknown) => {
      if (error instanceof SilentDaemon) return error
      throw error
    })
    const isLive = live !== null && !(live instanceof SilentDaemon)
    if (live instanceof SilentDaemon)
      for (const line of [live.said, ...live.remedies]) io.complain(`hubrec status: ${line}`)
    if (!isLive) await complainOf(dir, io)
    const found = isLive ? (live as Status) : await fromDisk(dir, live)
    if (values.json) io.print(JSON.stringify(found))
    else for (const line of describe(found)) io.print(line)
    return isLive ? 0 : 1
  },
}

async function fromDisk(dir: string, silent: SilentDaemon | null): Promise<Status> {
  const status = await statusFromRing(dir)
  return silent === null ? status : { ...status, daemon: 'silent', pid: silent.pid }
}

/** What cannot be a state directory looks like one in which nothing was ever recorded. */
async function complainOf(dir: string, { complain }: Io): Promise<void> {
  const found = await stat(dir).catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown')
  if (typeof found === 'string') {
    if (found !== 'ENOENT') complain(`hubrec status: ${dir}: ${found}`)
  } else if (!found.isDirectory()) complain(`hubrec status: ${dir} is no directory: ENOTDIR`)
}

const daemonWords = {
  running: 'running',
  down: 'down',
  silent: 'runs and does not answer: this is from the disk',
} as const

function describe(status: Status): string[] {
  const { daemon, connection, episode, lastEpisode, conditions, ring, outbox, device } = status
  const age = connection.sessionAgeMs === null ? '' : ` for ${duration(connection.sessionAgeMs)}`
  const methods =
    connection.state === 'online' ? `, methods ${connection.methods ? 'answered' : 'not yet subscribed'}` : ''
  const verdict = lastEpisode
    ? `${lastEpisode.verdict.cause} (${lastEpisode.verdict.confidence}) at ${lastEpisode.startedAt}: ${lastEpisode.verdict.title}`
    : 'none'
  return [
    `daemon      ${daemonWords[daemon]}${daemon === 'running' ? ` since ${status.startedAt}` : `, last record ${status.lastRecordAt ?? 'never'}`}`,
    ...(device
      ? [`device      ${deviceName(device)}${device.hub === null ? ', no hub assigned yet' : ` at ${device.hub}`}`]
      : []),
    `connection  ${connection.state}${age}, ${connection.protocol}${methods}`,
    ...(episode
      ? [`outage      since ${episode.startedAt}: ${episode.verdict.cause} (${episode.verdict.confidence})`]
      : []),
    `last        ${verdict}`,
    ...(lastEpisode?.verdict.nextSteps.slice(0, 1).map(step => `do          ${step}`) ?? []),
    ...status.applications.map(describeApplication),
    ...status.watched.map(
      ({ host, unit, state, rttMs }) =>
        `watched     ${unit ?? 'a process'} to ${host}: ${state}${rttMs === null ? '' : `, round trip ${duration(rttMs)}`}, as seen from outside`,
    ),
    ...conditions.map(({ severity, text }) => `${severity.padEnd(11)} ${text}`),
    `ring        ${fill(ring)} in ${ring.segments} segments at ${ring.dir}`,
    `outbox      ${outbox.waiting} waiting, ${fill(outbox)}`,
    ...outbox.tasks.map(describeTask),
  ]
}

function describeApplication({ conn, pid, protocol, state, since, episode, lastEpisode }: ApplicationStatus): string {
  const verdict = episode ?? lastEpisode
  const last = verdict ? `, last ${verdict.verdict.cause} (${verdict.verdict.confidence}) at ${verdict.startedAt}` : ''
  return `application ${conn} (pid ${pid}) ${state}${since === null ? '' : ` since ${since}`}, ${protocol}${last}`
}

/** One collection of the history: when, what became of it, what it holds, who wanted it. */
function describeTask(task: TaskSummary): string {
  const { acceptedAt, kind, status, message, window, requestedBy, correlationId, bytesTotal, blobName } = task
  const done = status === 'Running' && bytesTotal !== null ? ` ${percent(task.bytesDone ?? 0, bytesTotal)}` : ''
  const size = bytesTotal === null ? '' : `, ${mebibytes(bytesTotal)}`
  const place = blobName === null ? '' : ` as ${blobName}`
  const said = message === '' ? '' : `: ${message}`
  const span = `${window.from ?? 'the beginning'} to ${window.to ?? 'then'}`
  return `collection  ${acceptedAt} ${status}${done}: ${kind}, ${span}${size}${place}, for ${requestedBy} (${correlationId})${said}`
}

const percent = (part: number, whole: number): string => `${Math.round((part / Math.max(1, whole)) * 100)} %`

const fill = ({ bytes, budgetBytes }: Readonly<{ bytes: number; budgetBytes: number | null }>): string =>
  budgetBytes === null
    ? mebibytes(bytes)
    : `${mebibytes(bytes)} of ${mebibytes(budgetBytes)} (${percent(bytes, budgetBytes)})`
