/**
 * What the SDK says to whoever debugs it, heard inside the process: the one place that knows the package `debug`, which the
 * Azure packages and mqtt.js share.
 *
 * Nothing of it is printed, and DEBUG stays what it is for everybody else: what it asks for goes to stderr as ever, and not here.
 */
import { format, inspect } from 'node:util'
import debug from 'debug'

/** Told as it is said, secrets and all: it is the listener who takes them out. It must not throw and must not block. */
export type SdkListener = (namespace: string, text: string) => void

/**
 * The state machines of the Azure packages, also those of AMQP, and mqtt.js's client. Not `mqtt-packet`: 300 lines for one
 * CONNECT, with the token byte by byte, and the packets' headers say the same. Nor rhea, which has a `debug` of its own
 * version: it says frame by frame what the headers say, tokens and all.
 */
const namespaces = /^(?:azure-iot|mqttjs)/

/** Longer arguments are told by their length: nobody reads them, and the loop has better things to do. */
const argumentMax = 512

const inspection = {
  depth: 3,
  breakLength: Number.POSITIVE_INFINITY,
  maxArrayLength: 16,
  maxStringLength: 256,
} as const

/** @returns what ends the listening. There is one listener at a time. */
export function listenToSdk(listener: SdkListener): () => void {
  const { enabled, formatArgs, log, formatters } = debug
  const objects = ['o', 'O'] as const
  const inspectors = objects.map(letter => [letter, formatters[letter]] as const)
  const isHeard = (namespace: string): boolean => namespaces.test(namespace) && !enabled.call(debug, namespace)

  debug.enabled = namespace => isHeard(namespace) || enabled.call(debug, namespace)
  for (const [letter, original] of inspectors) {
    formatters[letter] = function (this: debug.Debugger, value: unknown) {
      if (!isHeard(this.namespace)) return original?.call(this, value) ?? inspect(value)
      // What comes out of here is a format again.
      return inspected(value).replaceAll('%', '%%')
    }
  }
  debug.formatArgs = function (args) {
    if (!isHeard(this.namespace)) formatArgs.call(this, args)
  }
  debug.log = function (this: debug.Debugger, ...args: unknown[]) {
    if (isHeard(this.namespace)) listener(this.namespace, textOf(args))
    else log.apply(this, args)
  }
  askAgain()

  return () => {
    Object.assign(debug, { enabled, formatArgs, log })
    for (const [letter, original] of inspectors) if (original) formatters[letter] = original
    askAgain()
  }
}

let askings = 0

/** Every logger remembers whether it is enabled until something is enabled anew; and that is written to the environment. */
function askAgain(): void {
  const { DEBUG } = process.env
  // A comma more or less is another text of the same meaning.
  debug.enable(debug.disable() + ','.repeat(1 + (askings++ % 2)))
  if (DEBUG === undefined) delete process.env.DEBUG
  else process.env.DEBUG = DEBUG
}

function textOf([first, ...rest]: readonly unknown[]): string {
  const told = typeof first === 'string' && first.startsWith(publishes) ? [lengthOf(rest[0]), ...rest.slice(1)] : rest
  // Alone, a format is a text, in which nothing is replaced.
  return told.length === 0 && typeof first === 'string'
    ? first.replaceAll('%%', '%')
    : format(first, ...told.map(short))
}

/** Its first argument is the payload. */
const publishes = 'publish :: message '

function inspected(value: unknown): string {
  try {
    return inspect(withoutPayload(value), inspection)
  } catch (error) {
    // An object that cannot be read must not fail the SDK, which only wanted to mention it.
    return `<unreadable: ${error instanceof Error ? error.name : typeof error}>`
  }
}

function withoutPayload(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('payload' in value)) return value
  return { ...value, payload: lengthOf(value.payload) }
}

const short = (value: unknown): unknown =>
  typeof value === 'string' && value.length > argumentMax
    ? lengthOf(value)
    : Buffer.isBuffer(value)
      ? lengthOf(value)
      : value

const lengthOf = (value: unknown): unknown =>
  typeof value === 'string' || Buffer.isBuffer(value) ? `<${Buffer.byteLength(value)} bytes>` : value
