/** Faults in the words of a command line: `connack 3`, `blackHole towardHub`, `slow latencyMs=200`. */

import type { Fault } from './faults.js'

type Reader = Readonly<{ expects: string; optional: boolean; read(word: string): unknown }>
type Parameters<K extends Fault['kind']> = {
  readonly [P in Exclude<keyof Extract<Fault, { kind: K }>, 'kind'>]-?: Reader
}

const oneOf = (...values: readonly (string | number)[]): Reader => ({
  expects: values.join('|'),
  optional: false,
  read: word => values.find(value => String(value) === word),
})
const positive: Reader = {
  expects: 'N',
  optional: false,
  read: word => (/^\d+(\.\d+)?$/.test(word) && Number(word) > 0 ? Number(word) : undefined),
}
const optional = (reader: Reader): Reader => ({ ...reader, optional: true })

const times = { times: optional(positive) }
const on = { on: optional(oneOf('files', 'notifications')) }

/** In the order in which they may stand without their names. */
const parameters: { readonly [K in Fault['kind']]: Parameters<K> } = {
  refuse: {},
  unanswered: {},
  finAtAccept: times,
  rstAtAccept: times,
  silent: {},
  blackHole: { direction: oneOf('both', 'towardHub', 'towardDevice') },
  slow: { latencyMs: optional(positive), msPerByte: optional(positive) },
  throttle: { bytesPerSecond: positive },
  certificate: { certificate: oneOf('expired', 'notYetValid', 'selfSigned', 'wrongName', 'unknownCa') },
  noConnack: times,
  connack: { code: oneOf(1, 2, 3, 4, 5), ...times },
  closeAfterConnack: times,
  closeAtPublish: times,
  subackRefused: times,
  noSuback: times,
  noPuback: times,
  forgetSession: times,
  renewalRefused: times,
  malformed: {},
  serverDisconnect: {},
  http: { status: positive, code: optional(positive), ...on, ...times },
  httpSilent: { ...on, ...times },
}

/** One line for each fault. */
export const faultUsages = (): string[] => Object.entries(parameters).map(([kind, readers]) => usage(kind, readers))

/** @throws Error that says what was expected */
export function parseFault([kind = '', ...words]: readonly string[]): Fault {
  const readers: Readonly<Record<string, Reader>> | undefined = Object.hasOwn(parameters, kind)
    ? parameters[kind as Fault['kind']]
    : undefined
  if (!readers) throw new Error(`there is no fault "${kind}"; expected one of ${Object.keys(parameters).join(', ')}`)
  const unnamed = Object.keys(readers)
  const values: Record<string, unknown> = {}
  for (const word of words) {
    const [, name = unnamed.find(free => !(free in values)), text = ''] = /^(?:([a-zA-Z]+)=)?(.*)$/.exec(word) ?? []
    const value = name === undefined ? undefined : readers[name]?.read(text)
    if (name === undefined || value === undefined) throw new Error(`"${word}": expected ${usage(kind, readers)}`)
    values[name] = value
  }
  if (Object.entries(readers).some(([name, reader]) => !reader.optional && !(name in values))) {
    throw new Error(`expected ${usage(kind, readers)}`)
  }
  return { kind, ...values } as Fault
}

const usage = (kind: string, readers: Readonly<Record<string, Reader>>): string =>
  [
    kind,
    ...Object.entries(readers).map(([name, reader]) =>
      reader.optional ? `[${name}=${reader.expects}]` : `${name}=${reader.expects}`,
    ),
  ].join(' ')
