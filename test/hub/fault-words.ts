/** Faults in the words of a command line: `connack 3`, `blackHole towardHub`, `slow latencyMs=200`. */

import { linkNames } from './amqp-dialect.js'
import type { Fault } from './faults.js'
import type { ProxyFault } from './http-proxy.js'

type Reader = Readonly<{ expects: string; optional: boolean; read(word: string): unknown }>
/** Of each kind of fault its fields. */
type Vocabulary<F extends { kind: string }> = {
  readonly [K in F['kind']]: { readonly [P in Exclude<keyof Extract<F, { kind: K }>, 'kind'>]-?: Reader }
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
/** Without blanks, because blanks are between words. */
const word: Reader = { expects: 'WORD', optional: false, read: text => (text === '' ? undefined : text) }
const headers: Reader = {
  expects: 'NAME:VALUE[,NAME:VALUE...]',
  optional: false,
  read: text => {
    const pairs = text.split(',').map(pair => /^([\w-]+):(.+)$/.exec(pair))
    return pairs.every(pair => pair !== null) ? Object.fromEntries(pairs.map(pair => [pair[1], pair[2]])) : undefined
  },
}
const optional = (reader: Reader): Reader => ({ ...reader, optional: true })

const times = { times: optional(positive) }
const on = { on: optional(oneOf('files', 'notifications')) }

const reason = { condition: optional(word), description: optional(word), ...times }

/** In the order in which they may stand without their names. */
const vocabulary: Vocabulary<Fault> = {
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
  upgrade: { status: positive, headers: optional(headers), ...times },
  upgradeSilent: times,
  websocketClose: { code: positive, ...times },
  noOpen: times,
  cbs: { status: positive, description: optional(word), ...times },
  cbsSilent: times,
  noAttach: { link: optional(oneOf(...linkNames)), ...times },
  amqpClose: reason,
  amqpEnd: reason,
  amqpDetach: { link: oneOf(...linkNames, 'all'), role: optional(oneOf('sender', 'receiver')), ...reason },
  rejectSends: { ...reason, condition: word },
  amqpSilent: {},
  noEcho: {},
  http: { status: positive, code: optional(positive), ...on, ...times },
  httpSilent: { ...on, ...times },
}

const proxyVocabulary: Vocabulary<ProxyFault> = {
  status: { status: positive, headers: optional(headers), ...times },
  silent: times,
  portal: { location: optional(word) },
  intercept: {},
  cutAfter: { bytes: positive, how: oneOf('fin', 'rst'), ...times },
}

/** One line for each fault. */
export const faultUsages = (): string[] => usages(vocabulary)
export const proxyFaultUsages = (): string[] => usages(proxyVocabulary)

/** @throws Error that says what was expected */
export const parseFault = (words: readonly string[]): Fault => parse(vocabulary, words) as Fault
export const parseProxyFault = (words: readonly string[]): ProxyFault => parse(proxyVocabulary, words) as ProxyFault

type Fields = Readonly<Record<string, Reader>>

function parse(known: Readonly<Record<string, Fields>>, [kind = '', ...words]: readonly string[]): unknown {
  const readers = Object.hasOwn(known, kind) ? known[kind] : undefined
  if (!readers) throw new Error(`there is no fault "${kind}"; expected one of ${Object.keys(known).join(', ')}`)
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
  return { kind, ...values }
}

const usages = (known: Readonly<Record<string, Fields>>): string[] =>
  Object.entries(known).map(([kind, readers]) => usage(kind, readers))

const usage = (kind: string, readers: Readonly<Record<string, Reader>>): string =>
  [
    kind,
    ...Object.entries(readers).map(([name, reader]) =>
      reader.optional ? `[${name}=${reader.expects}]` : `${name}=${reader.expects}`,
    ),
  ].join(' ')
