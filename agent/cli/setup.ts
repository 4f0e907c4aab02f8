/** `hubrec setup`: from an identity to a recorder that runs. Nothing of this host changes before the last yes. */
import { execFile } from 'node:child_process'
import { access, constants, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { Protocol } from '../../transports/wire-event.js'
import { childEnvironment } from '../child-environment.js'
import { configFrom, standardFile } from '../config/load.js'
import { checks } from '../doctor/checks.js'
import { createFacts } from '../doctor/facts.js'
import { runDoctor } from '../doctor/run.js'
import { isServiceHere } from '../doctor/service.js'
import { linesOf, summaryOf } from '../doctor/tell.js'
import { writeFileDurably } from '../durable-file.js'
import { AgentError } from '../errors.js'
import { isMissing } from '../exists.js'
import { makeDirectory } from '../make-directory.js'
import { createRedactor } from '../redact.js'
import { type Command, type ExitCode, type Io, text, type Values } from './command.js'

const protocols: readonly (Protocol | 'auto')[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws', 'auto']

export const setup: Command = {
  name: 'setup',
  summary: 'ask for the identity, check it, write the configuration, and start the service',
  usage: '',
  details:
    'Asks for what no option says, shows what doctor finds, and changes nothing before the last yes. Without a terminal it needs\n' +
    '--connection-string-file (or HUBREC_CONNECTION_STRING) and --yes.',
  options: {
    config: { type: 'string', value: 'FILE', help: `the configuration that is written; default ${standardFile}` },
    'connection-string-file': {
      type: 'string',
      value: 'FILE',
      help: 'where the connection string is read from; - for standard input',
    },
    protocol: { type: 'string', value: 'P', help: `${protocols.join(', ')}; default mqtt` },
    'ca-file': { type: 'string', value: 'FILE', help: "PEM of roots to trust beside the system's" },
    'state-dir': {
      type: 'string',
      value: 'DIR',
      help: 'where the recorder keeps its records; default /var/lib/hubrec',
    },
    'no-service': { type: 'boolean', help: 'write the files, and leave systemd alone' },
    yes: { type: 'boolean', help: 'the last yes, for scripts; not where a check has failed' },
    force: { type: 'boolean', help: 'with --yes: also where a check has failed, or a configuration is there already' },
  },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    const file = resolve(text(values, 'config') ?? standardFile)
    const asked = text(values, 'protocol') ?? 'mqtt'
    if (!protocols.some(each => each === asked)) {
      io.complain(`hubrec setup: --protocol: expected one of ${protocols.join(', ')}`)
      return 2
    }
    const caFile = text(values, 'ca-file')
    if (caFile !== undefined) {
      const code = await access(caFile, constants.R_OK).then(
        () => null,
        (error: NodeJS.ErrnoException) => error.code,
      )
      if (code !== null) {
        io.complain(`hubrec setup: --ca-file: ${caFile} cannot be read: ${code}`)
        return 2
      }
    }
    const connectionString = await identityFrom(values, io)
    if (connectionString === null) {
      io.complain(
        'hubrec setup: no connection string: there is no terminal to ask at, and neither --connection-string-file nor HUBREC_CONNECTION_STRING',
      )
      return 2
    }
    const { settings, isThere } = await propose(values, asked, file)
    const failures = await examine(settings, { file, connectionString }, io)
    if (!(await agreed(values, io, { failures, file, isThere }))) {
      io.complain('hubrec setup: nothing was changed')
      return 1
    }
    const isUnits = await isReadByUnit(file)
    await write(settings, { file, connectionString, isUnits })
    io.print(`written: ${file}, and the connection string beside it`)
    return isUnits && !values['no-service'] ? start(io) : next(io, file)
  },
}

type Settings = Readonly<Record<string, unknown>>

const secretName = 'connection-string'
const handedOver = '/run/credentials/hubrec.service/connection-string'

async function identityFrom(values: Values, io: Io): Promise<string | null> {
  const from = text(values, 'connection-string-file')
  if (from === '-') return (await readAll(process.stdin)).trim()
  if (from !== undefined) {
    return (
      await readFile(from, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new AgentError('USAGE', `--connection-string-file: ${from} cannot be read: ${error.code}`)
      })
    ).trim()
  }
  const given = io.env.HUBREC_CONNECTION_STRING
  if (given !== undefined && given !== '') return given.trim()
  if (!process.stdin.isTTY) return null
  return (await question('Connection string of this device or module (it is not shown): ', io, true)).trim() || null
}

/** Keys that are there already stay as they are. */
async function propose(
  values: Values,
  protocol: string,
  file: string,
): Promise<Readonly<{ settings: Settings; isThere: boolean }>> {
  const found = await readSettings(file)
  const before = found ?? {}
  const caFile = text(values, 'ca-file')
  const stateDir = text(values, 'state-dir')
  const connection = {
    ...(before.connection as object | undefined),
    protocol,
    ...(caFile ? { caFile: resolve(caFile) } : {}),
  }
  const settings = { ...before, connection, ...(stateDir ? { stateDir: resolve(stateDir) } : {}) }
  return { settings, isThere: found !== null }
}

/** @returns `null` where there is none yet */
async function readSettings(file: string): Promise<Settings | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (isMissing(error)) return null
    throw new AgentError('CONFIG_INVALID', `${file} is there and cannot be read: ${(error as Error).message}`)
  }
}

type Wanted = Readonly<{ file: string; connectionString: string }>

/** As if it were written already. @returns how many checks have failed */
async function examine(settings: Settings, { file, connectionString }: Wanted, io: Io): Promise<number> {
  const { connectionStringFile: _, ...connection } = settings.connection as { connectionStringFile?: unknown }
  const env = { ...io.env, HUBREC_CONNECTION_STRING: connectionString }
  const facts = createFacts({
    config: async () => {
      const called = 'the configuration as it would be'
      return { config: configFrom({ ...settings, connection }, file, called, { env }), from: called, file }
    },
    env,
    protocol: undefined,
    mayDisconnect: false,
    signal: io.signal,
  })
  // What runs already, and what systemd knows of it, is not what is being set up.
  const wanted = checks.filter(({ family }) => family !== 'recorder')
  const all = await runDoctor({ facts, checks: wanted, signal: io.signal })
  const redactor = createRedactor(facts.secrets)
  const shown = all.filter(({ answer }) => answer.result !== 'ok' && answer.result !== 'skipped')
  for (const line of shown.flatMap(linesOf)) io.print(redactor.text(line))
  io.print(summaryOf(all))
  return all.filter(({ answer }) => answer.result === 'failed').length
}

async function agreed(
  values: Values,
  io: Io,
  { failures, file, isThere }: Readonly<{ failures: number; file: string; isThere: boolean }>,
): Promise<boolean> {
  const doubts = [
    ...(failures > 0 ? [`${failures} ${failures === 1 ? 'check has' : 'checks have'} failed`] : []),
    ...(isThere ? [`${file} is there already, and is changed`] : []),
  ]
  if (values.yes) {
    if (doubts.length === 0 || values.force) return true
    io.complain(`hubrec setup: ${doubts.join('; ')}: --force goes on all the same`)
    return false
  }
  if (!process.stdin.isTTY) return false
  const about = doubts.length === 0 ? '' : ` (${doubts.join('; ')})`
  const said = await question(`Write ${file} and start the recorder?${about} [y/N] `, io, false)
  return /^y(es)?$/i.test(said.trim())
}

/** The secret first: a configuration that points to nothing would keep a service from starting. */
async function write(
  settings: Settings,
  { file, connectionString, isUnits }: Wanted & Readonly<{ isUnits: boolean }>,
): Promise<void> {
  const dir = dirname(file)
  await makeDirectory(dir, 0o755)
  const secret = join(dir, secretName)
  await writeFileDurably(secret, `${connectionString}\n`, 0o600)
  // The unit hands it over as a credential, because its user may not read the file.
  const connectionStringFile = isUnits ? handedOver : secret
  const connection = { ...(settings.connection as object), connectionStringFile }
  await writeFileDurably(file, `${JSON.stringify({ ...settings, connection }, null, 2)}\n`, 0o644)
}

/** The unit reads one configuration only. */
const isReadByUnit = async (file: string): Promise<boolean> => file === standardFile && (await isServiceHere())

function next(io: Io, file: string): ExitCode {
  const config = file === standardFile ? '' : ` --config ${file}`
  const installed = file === standardFile ? ', or install the unit (systemd/hubrec.service) and run this again' : ''
  io.print(`next: start it with \`hubrec run${config}\`${installed}`)
  return 0
}

/** One that runs already takes the new configuration, too. */
async function start(io: Io): Promise<ExitCode> {
  try {
    for (const verb of ['enable', 'restart'])
      await promisify(execFile)('systemctl', [verb, 'hubrec.service'], { env: childEnvironment() })
    io.print('the recorder runs; next: `hubrec status`, and `hubrec doctor` whenever something is wrong')
    return 0
  } catch (error) {
    io.complain(`hubrec setup: systemctl: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

/** @param isSecret what is typed is not shown */
function question(asked: string, io: Io, isSecret: boolean): Promise<string> {
  let isMuted = false
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk)
      done()
    },
  })
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY === true })
  return new Promise(resolve => {
    const end = (answer: string): void => {
      resolve(answer)
      lines.close()
      if (isSecret) process.stderr.write('\n')
    }
    io.signal.addEventListener('abort', () => end(''), { once: true })
    lines.once('close', () => resolve(''))
    lines.question(asked, end)
    isMuted = isSecret
  })
}

async function readAll(input: NodeJS.ReadableStream): Promise<string> {
  let all = ''
  for await (const chunk of input) all += String(chunk)
  return all
}
