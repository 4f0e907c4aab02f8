/** `hubrec episodes`: every outage with its verdict. */
import { countsAsFault } from '../diagnosis/faults.js'
import { count, duration } from '../diagnosis/words.js'
import type { Episode } from '../evidence/episode.js'
import { type Incident, incidents } from '../evidence/incidents.js'
import type { Command } from './command.js'
import { sourceOptions, windowOptions } from './options.js'
import { openSource, windowOf } from './source.js'

export const episodes: Command = {
  name: 'episodes',
  summary: 'the outages, each with its verdict, the evidence and the next step',
  usage: '[--since T] [--until T] [--around ID]',
  details: 'A window selects what overlaps it. Outages of one cause with short sessions between them are shown as one.',
  options: { ...windowOptions, ...sourceOptions },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    const source = await openSource(values, io)
    const found = await source.episodes(await windowOf(values, source, Date.now()))
    if (found.length === 0 && !values.json) io.print('no episodes')
    if (values.json) for (const episode of found) io.print(JSON.stringify(episode))
    else for (const line of [...incidents(found).flatMap(describe), ...summary(found)]) io.print(line)
    return 0
  },
}

/** How often it failed: what was planned, and the service's own upgrades, are told apart. */
export function summary(episodes: readonly Episode[]): string[] {
  if (episodes.length < 2) return []
  const faults = episodes.filter(countsAsFault)
  const others = episodes.length - faults.length
  const awayMs = faults.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0)
  return [
    `${count(faults.length, 'fault')}, ${duration(awayMs)} without a connection${faults.some(({ state }) => state === 'open') ? ' so far' : ''}` +
      (others === 0
        ? ''
        : `; ${count(others, 'break')} that ${others === 1 ? 'was' : 'were'} planned, or the service's own`),
  ]
}

/** The newest episode of an incident speaks for all of it. */
export function describe(incident: Incident): string[] {
  const [first] = incident
  const last = incident.at(-1) ?? first
  const { verdict } = last
  const times = incident.length > 1 ? `, ${incident.length} times until ${last.endedAt ?? 'now'}` : ''
  return [
    `${first.startedAt}  ${lengthOf(incident)}  ${verdict.cause} (${verdict.confidence})${last.planned ? ', planned' : ''}`,
    `  ${verdict.title}${times}`,
    `  ${countsOf(last)}`,
    ...verdict.evidence.map(sentence => `  seen:  ${sentence}`),
    ...verdict.nextSteps.map(step => `  do:    ${step}`),
    ...verdict.runnersUp.map(({ cause, confidence, toDecide }) => `  or:    ${cause} (${confidence}): ${toDecide}`),
    ...(last.sdkSaid ? [`  SDK:   ${last.sdkSaid.name}: ${last.sdkSaid.message}`] : []),
    '',
  ]
}

function lengthOf(incident: Incident): string {
  const lengths = incident.map(({ durationMs }) => durationMs)
  if (lengths.includes(null)) return 'goes on'
  return duration(lengths.reduce<number>((sum, length) => sum + (length ?? 0), 0))
}

function countsOf({ conn, session, detectedAfterMs, attempts, waitedMs, protocol, id }: Episode): string {
  return [
    session ? `after a session of ${duration(session.lastedMs)}` : 'before the first session',
    ...(detectedAfterMs === null ? [] : [`noticed after ${duration(detectedAfterMs)}`]),
    `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
    `waited ${duration(waitedMs)}`,
    protocol,
    ...(conn === 'hubrec' ? [] : [`connection ${conn}`]),
    `id ${id}`,
  ].join(', ')
}
