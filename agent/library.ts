/**
 * What the package exports: an application wraps the transport class of its own `azure-iot-device` client, and its connection is
 * recorded. Nothing else changes for it.
 *
 * Only what Node itself brings is loaded here; the SDK is the application's.
 */
import { parse, resolve } from 'node:path'
import { type TransportClass, watchedTransport } from '../transports/recorded/transport.js'
import { isReserved, namePattern } from './ingest/messages.js'
import { type ApplicationRecorder, createRecorder } from './ingest/recorder.js'

export type { TransportClass } from '../transports/recorded/transport.js'

export type RecordedOptions = Readonly<{
  /**
   * What the connection is called in records: 1 to 64 of `A-Z a-z 0-9 . _ -`, and not `hubrec`. Default: the name of the
   * program's file.
   */
  name?: string
  /** Where the daemon takes what applications tell. Default: `$HUBREC_INGEST_SOCKET`, else `/run/hubrec/ingest.sock`. */
  socket?: string
  /**
   * Where there is no daemon a ring is written to `<directory>/<name>`, to be read by `hubrec episodes --state-dir` of that.
   * Default: `$HUBREC_LIBRARY_DIR`, else there is no such ring.
   */
  directory?: string
}>

const standardSocket = '/run/hubrec/ingest.sock'

const recorders = new Map<string, ApplicationRecorder>()

/**
 * Records the connections of a transport: `Mqtt`, `MqttWs`, `Amqp` or `AmqpWs` of the application's own SDK.
 *
 * @returns the transport, for `Client.fromConnectionString` and its like
 * @throws TypeError for a name that cannot be one
 */
export function recorded<Class extends TransportClass>(Transport: Class, options: RecordedOptions = {}): Class {
  const { name = programName(process.argv[1]) } = options
  if (typeof name !== 'string' || !namePattern.test(name) || isReserved(name)) {
    throw new TypeError('recorded: expected a name of 1 to 64 letters, digits, ".", "_" and "-", other than "hubrec"')
  }
  const recorder = recorderOf(name, options)
  return watchedTransport(Transport, recorder, () =>
    warn(`"${name}" is not recorded: this version of the SDK is not known`),
  )
}

function programName(file: string | undefined): string {
  const name = parse(file ?? '')
    .name.replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 64)
  return name === '' || isReserved(name) ? 'application' : name
}

/** The first call for a name says where its events go. */
function recorderOf(name: string, { socket, directory }: RecordedOptions): ApplicationRecorder {
  const found = recorders.get(name)
  if (found) return found
  if (recorders.size === 0) watchProcess()
  const { HUBREC_INGEST_SOCKET, HUBREC_LIBRARY_DIR } = process.env
  const dir = directory ?? (HUBREC_LIBRARY_DIR || null)
  const made = createRecorder({
    name,
    socket: resolve(socket ?? (HUBREC_INGEST_SOCKET || standardSocket)),
    directory: dir === null ? null : resolve(dir),
    warn,
  })
  recorders.set(name, made)
  return made
}

/** Only looks on: neither listener changes how the process ends. */
function watchProcess(): void {
  let crashed: string | null = null
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    crashed = error instanceof Error ? error.name.slice(0, 256) : typeof error
  })
  process.on('exit', exitCode => {
    for (const recorder of recorders.values()) recorder.bye(exitCode, crashed)
  })
}

const warn = (message: string): void => process.emitWarning(message, { type: 'HubrecWarning' })
