/** `hubrec bundle`: a time window as one archive, for support. */
import { access, constants as fileConstants, rename } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { CredentialError, type CredentialSettings, loadCredential } from '../../transports/credentials.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import { choiceNames, unknownNames } from '../bundle/choice.js'
import { type Made, makeBundle } from '../bundle/make.js'
import { Skipped } from '../bundle/part.js'
import { type Plan, planBundle } from '../bundle/plan.js'
import { describeConfig } from '../config/describe.js'
import { askDaemon } from '../control.js'
import { causeTitles } from '../diagnosis/catalogue.js'
import { checks } from '../doctor/checks.js'
import { type Configured, createFacts, loaded } from '../doctor/facts.js'
import { runDoctor } from '../doctor/run.js'
import { reportOf } from '../doctor/tell.js'
import { AgentError } from '../errors.js'
import { readMemory, readRecords } from '../evidence/read.js'
import { createRedactor } from '../redact.js'
import { deviceName, type StartData } from '../status.js'
import { versions } from '../versions.js'
import { type Command, type Io, text, type Values } from './command.js'
import { mebibytes } from './mebibytes.js'
import { sourceOptions, windowOptions } from './options.js'
import { createProgressLine } from './progress-line.js'
import { windowOf } from './source.js'

const { config, 'state-dir': stateDir } = sourceOptions

export const bundle: Command = {
  name: 'bundle',
  summary: 'write a bundle: what happened in a time window, redacted, as one archive',
  usage: '[--since T] [--until T] [--around ID] [--type NAME]... [-o FILE] [--dry-run]',
  details: [
    'Works beside a running daemon and after it has died. What could not be had is named in manifest.json.',
    'Where not everything fits into bundle.bytesMax the newest records are taken.',
  ].join('\n'),
  options: {
    ...windowOptions,
    type: { type: 'string', multiple: true, value: 'NAME', help: `only these: ${choiceNames.join(', ')}` },
    'dry-run': { type: 'boolean', help: 'list what would go in, with sizes, and write nothing' },
    output: { type: 'string', short: 'o', value: 'FILE', help: 'default: hubrec-<device>-<from>-<to>.zip, here' },
    config,
    'state-dir': stateDir,
  },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    const nowMs = Date.now()
    const source = { file: text(values, 'config'), env: io.env, stateDir: text(values, 'state-dir') }
    const configured = await loaded(source)
    const { connection, stateDir } = configured.config
    const types = typesOf(values)
    const secrets = createSecrets()
    await learnSecrets(connection, secrets, io)
    const ringDir = join(stateDir, 'ring')
    const window = await windowOf(values, { records: options => readRecords(ringDir, options) }, nowMs)
    const { bytesMax } = configured.config.bundle
    const asked = { window, ringDir, ...(types ? { types } : {}), collect: configured.config.collectors, nowMs }
    if (values['dry-run']) {
      const redactor = createRedactor(secrets)
      const plan = await planBundle({ ...asked, stateDir, redactor, signal: io.signal })
      for (const line of tellPlan(plan, bytesMax, values)) io.print(line)
      return 0
    }
    const { lastFacts } = await readMemory(ringDir)
    const told = lastFacts?.data as Partial<StartData> | undefined
    const output = text(values, 'output')
    const file = resolve(output ?? `.hubrec-bundle-${process.pid}.zip`)
    await access(dirname(file), fileConstants.W_OK).catch((error: NodeJS.ErrnoException) => {
      throw new AgentError('USAGE', `${dirname(file)} cannot be written: ${error.code}`)
    })
    const progress = createProgressLine()
    const made = await makeBundle({
      file,
      ...asked,
      bytesMax,
      onProgress: ({ part, partsDone, partsTotal, bytes }) =>
        progress.showBar(partsDone, partsTotal, `${part}, ${mebibytes(bytes)}`),
      requestedBy: 'hubrec bundle',
      why: 'asked for on this device',
      device: told?.device ? deviceName(told.device) : 'unknown',
      config: describeConfig(configured.config).settings,
      state: () => stateOf(configured),
      // Whatever else this device does comes first; what fades is not left waiting for it.
      onFadingTaken: () => setPriority(constants.priority.PRIORITY_LOW),
      doctor: signal => examined(configured, secrets, io, signal),
      versions: versions(),
      causes: causeTitles,
      redactor: createRedactor(secrets),
      secrets,
      signal: io.signal,
    })
      .catch((error: NodeJS.ErrnoException) => {
        throw error.syscall === undefined ? error : unwritten(file, error)
      })
      .finally(progress.end)
    const place = output === undefined ? resolve(made.fileName) : file
    if (place !== file) await rename(file, place)
    for (const line of tell(place, made, values)) io.print(line)
    return 0
  },
}

async function stateOf({ config }: Configured): Promise<unknown> {
  const told = await askDaemon(config.controlSocket, 'status').catch((error: Error) => {
    throw new Skipped(error.message)
  })
  if (told === null) throw new Skipped(`no daemon answers at ${config.controlSocket}`)
  return told
}

/** A stick that is full or was pulled out is for the person at the gateway to mend. */
const unwritten = (file: string, { code }: NodeJS.ErrnoException): AgentError =>
  new AgentError('USAGE', `${file} could not be written: ${code}; nothing of it is left; name another place with -o`)

/** Who runs knows more, and has the credential; else what can be found out without signing in. */
async function examined(config: Configured, secrets: Secrets, { env }: Io, signal: AbortSignal): Promise<unknown> {
  // What keeps a daemon from answering is found by the check `daemon` of our own run, and told there.
  const told = await askDaemon(config.config.controlSocket, 'doctor', {}, doctorLimitMs).catch(() => null)
  if (told !== null) return told
  const known = { config: async () => config, secrets, env, signal }
  const facts = createFacts({ ...known, protocol: undefined, mayDisconnect: false })
  return reportOf(await runDoctor({ facts, checks: checks.filter(({ id }) => id !== 'sign-in'), signal }))
}

const doctorLimitMs = 25_000

/** The ring was redacted when it was written; what the bundle adds must not bring the secret back. */
async function learnSecrets(settings: CredentialSettings, secrets: Secrets, { env, complain }: Io): Promise<void> {
  try {
    await loadCredential({ settings, env }, secrets)
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    complain(`hubrec bundle: goes on without the credential: ${error.message}`)
  }
}

/** @throws AgentError `USAGE` with every name that is none */
function typesOf({ type }: Values): readonly string[] | undefined {
  if (!Array.isArray(type)) return undefined
  const names = type.map(String).flatMap(name => name.split(','))
  const unknown = unknownNames(names)
  if (unknown.length === 0) return names
  const problems = unknown.map(name => `--type: found "${name}"; expected one of ${choiceNames.join(', ')}`)
  throw new AgentError('USAGE', 'unknown type', problems)
}

function tellPlan(plan: Plan, bytesMax: number, { json }: Values): string[] {
  const { window, entries, recordsPackedBytes } = plan
  const span = { from: new Date(window.since).toISOString(), to: new Date(window.until).toISOString() }
  if (json) return [JSON.stringify({ window: span, bytesMax, recordsPackedBytes, entries })]
  const words = { about: 'about ', atMost: 'at most ' } as const
  return [
    `from ${span.from} to ${span.to}`,
    ...entries.map(({ name, bytes, is }) => {
      const size = is === null ? 'known when it is asked for' : `${words[is]}${bytes} bytes`
      return `  ${name.padEnd(16)} ${size}`
    }),
    `the records are about ${recordsPackedBytes} bytes when they are packed; the bundle may have ${bytesMax}`,
  ]
}

function tell(file: string, { bytes, manifest }: Made, { json }: Values): string[] {
  if (json) return [JSON.stringify({ file, bytes, manifest })]
  return [
    file,
    ...manifest.entries.map(
      ({ name, bytes, status, reason }) =>
        `  ${name.padEnd(16)} ${status}, ${bytes} bytes${reason ? `: ${reason}` : ''}`,
    ),
    ...manifest.leftOut.map(({ name, records, reason }) => {
      const count = records === null ? '' : `${records} records, `
      return `  left out: ${name}: ${count}${reason}`
    }),
    `${bytes} bytes; removed: ${JSON.stringify(manifest.redactions)}`,
  ]
}
