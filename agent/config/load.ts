/** Finds the configuration, lets the environment win over it, and makes its paths absolute. */
import { open } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { AgentError } from '../errors.js'
import { socketPathBytesMax } from '../unix-socket.js'
import type { Config, X509Files } from './config.js'
import { findJsonError } from './json-error.js'
import { type Problem, parseSettings, type Settings } from './parse.js'

export const standardFile = '/etc/hubrec/config.json'
export const standardStateDir = '/var/lib/hubrec'
const standardSocketDir = '/run/hubrec'

/** A configuration is a page of text. Anything longer is another file, named by mistake. */
const fileBytesMax = 1 << 20

export type ConfigSource = Readonly<{
  /** `--config` */
  file?: string | undefined
  /** An empty variable counts as not set. */
  env: NodeJS.ProcessEnv
  /** `--state-dir` */
  stateDir?: string | undefined
  /** Read where no file is named; it may be missing. */
  defaultFile?: string
}>

/**
 * The file is the first of: `file`, `$HUBREC_CONFIG`, /etc/hubrec/config.json, none. Relative paths in it are relative
 * to it, those from the environment and the command line to the working directory.
 *
 * @returns `file` is the absolute path of the file that was read, `null` when there was none
 * @throws AgentError `CONFIG_INVALID` with every problem, also for a named file that cannot be read
 */
export async function loadConfig(source: ConfigSource): Promise<{ config: Config; file: string | null }> {
  const named = source.file ?? (source.env.HUBREC_CONFIG || undefined)
  const path = resolve(named ?? source.defaultFile ?? standardFile)
  const text = await readText(path, named !== undefined)
  if (text === null) return { config: configFrom({}, path, 'the configuration', source), file: null }
  return { config: configFrom(parseJson(text, path), path, `the configuration (${path})`, source), file: path }
}

/**
 * @param content of the file
 * @param path absolute; of the file, whether it is there already or not
 * @param called what the file is called where something is wrong with it
 * @throws AgentError `CONFIG_INVALID` with every problem
 */
export function configFrom(content: unknown, path: string, called: string, source: ConfigSource): Config {
  const overrides = overridesOf(source)
  const result = parseSettings(override(content, overrides))
  if ('problems' in result)
    throw invalid(
      called,
      result.problems.map(problem => inPlace(problem, overrides)),
    )
  const config = settle(result.settings, dirname(path))
  const problems = socketProblems(config, result.settings, source)
  if (problems.length > 0)
    throw invalid(
      called,
      problems.map(problem => inPlace(problem, overrides)),
    )
  return config
}

/** What only the paths that came of it show; one that was not given is told at what it came from. */
function socketProblems(config: Config, given: Settings, { stateDir }: ConfigSource): Problem[] {
  const { controlSocket, ingestSocket } = config
  const tooLong = (['controlSocket', 'ingestSocket'] as const).flatMap(name => {
    const bytes = Buffer.byteLength(config[name])
    if (bytes <= socketPathBytesMax) return []
    // A directory that is only read may be a copy, at any depth: nobody listens in it.
    if (stateDir !== undefined && given[name] === null) return []
    const [path, made] = given[name] === null ? ['stateDir', ` for ${basename(config[name])} in it`] : [name, '']
    const instead = given[name] === null ? `, or ${name} elsewhere` : ''
    const limit = `a socket's has at most ${socketPathBytesMax}`
    return [{ path, said: `found a path of ${bytes} bytes${made}; ${limit}: expected a shorter one${instead}` }]
  })
  if (controlSocket !== ingestSocket) return tooLong
  return [...tooLong, { path: 'ingestSocket', said: 'found the path of controlSocket; expected another one' }]
}

/** @returns `null` when the file is missing and need not be there */
async function readText(path: string, required: boolean): Promise<string | null> {
  try {
    const file = await open(path)
    const chunks: Buffer[] = []
    // A stream, because the file may be a pipe: `--config <(...)`. It closes the file at its end.
    for await (const chunk of file.createReadStream({ end: fileBytesMax })) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    if (bytes.length > fileBytesMax)
      throw invalid(path, [`found a longer file; expected at most ${fileBytesMax} bytes`])
    return bytes.toString('utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    if (error instanceof AgentError || !(error instanceof Error)) throw error
    const code = 'code' in error ? String(error.code) : error.name
    if (code === 'ENOENT' && !required) return null
    throw invalid(path, [`cannot be read (${code}); expected a JSON file`], error)
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    // Without the original as its cause: V8 puts a piece of the text into the message.
    const { line, column, expected } = findJsonError(text)
    throw invalid(path, [`line ${line}, column ${column}: not JSON; expected ${expected}`])
  }
}

type Override = Readonly<{ place: string; section: 'connection' | null; key: string; value: string }>

/** What wins over the file, in rising order. */
function overridesOf({ env, stateDir }: ConfigSource): Override[] {
  const absolute = (path: string | undefined) => (path ? resolve(path) : path)
  const candidates: readonly Readonly<Omit<Override, 'value'> & { value: string | undefined }>[] = [
    { place: 'HUBREC_PROTOCOL', section: 'connection', key: 'protocol', value: env.HUBREC_PROTOCOL },
    { place: 'HUBREC_CA_FILE', section: 'connection', key: 'caFile', value: absolute(env.HUBREC_CA_FILE) },
    { place: 'HUBREC_STATE_DIR', section: null, key: 'stateDir', value: absolute(env.HUBREC_STATE_DIR) },
    { place: '--state-dir', section: null, key: 'stateDir', value: absolute(stateDir) },
    { place: 'HUBREC_LOG_LEVEL', section: null, key: 'logLevel', value: env.HUBREC_LOG_LEVEL },
  ]
  const isSet = (candidate: (typeof candidates)[number]): candidate is Override =>
    candidate.value !== undefined && (candidate.value !== '' || candidate.place.startsWith('--'))
  return candidates.filter(isSet)
}

/** What is no object is left as it is, for the schema to refuse. */
function override(input: unknown, overrides: readonly Override[]): unknown {
  if (!isRecord(input)) return input
  const merged = { ...input }
  for (const { section, key, value } of overrides) {
    if (section === null) merged[key] = value
    else {
      const inner = merged[section] === undefined ? {} : merged[section]
      if (isRecord(inner)) merged[section] = { ...inner, [key]: value }
    }
  }
  return merged
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function inPlace({ path, said }: Problem, overrides: readonly Override[]): string {
  const from = overrides.findLast(({ section, key }) => path === (section === null ? key : `${section}.${key}`))
  const place = from?.place ?? path
  return place === '' ? said : `${place}: ${said}`
}

function settle(settings: Settings, base: string): Config {
  const { connection, stateDir, controlSocket, ingestSocket, ...rest } = settings
  const absolute = <P extends string | null>(path: P) => (path === null ? path : resolve(base, path))
  const state = absolute(stateDir)
  const sockets = state ?? standardSocketDir
  return {
    connection: {
      ...connection,
      connectionStringFile: absolute(connection.connectionStringFile),
      x509: connection.x509 && filesOf(connection.x509, absolute),
      sasTokenFile: absolute(connection.sasTokenFile),
      dps: connection.dps && {
        ...connection.dps,
        symmetricKeyFile: absolute(connection.dps.symmetricKeyFile),
        x509: connection.dps.x509 && filesOf(connection.dps.x509, absolute),
      },
      proxyCredentialsFile: absolute(connection.proxyCredentialsFile),
      caFile: absolute(connection.caFile),
      knownRootsFile: absolute(connection.knownRootsFile),
    },
    stateDir: state ?? standardStateDir,
    controlSocket: absolute(controlSocket) ?? resolve(sockets, 'control.sock'),
    ingestSocket: absolute(ingestSocket) ?? resolve(sockets, 'ingest.sock'),
    ...rest,
  }
}

type Absolute = <P extends string | null>(path: P) => P | string

const filesOf = ({ certFile, keyFile, passphraseFile }: X509Files, absolute: Absolute): X509Files => ({
  certFile: absolute(certFile),
  keyFile: absolute(keyFile),
  passphraseFile: absolute(passphraseFile),
})

function invalid(where: string, problems: readonly string[], cause?: Error): AgentError {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return new AgentError('CONFIG_INVALID', `${count} in ${where}`, problems, cause ? { cause } : {})
}
