/** `hubrec explain`: what a cause or a code of the hub means, how each side sees it, and what to do. */
import { catalogue } from '../diagnosis/catalogue.js'
import { type Cause, type Ceiling, families } from '../diagnosis/cause.js'
import { codes, type HubCode } from '../diagnosis/codes.js'
import { causesFor, lookUp } from '../diagnosis/look-up.js'
import type { Command } from './command.js'

export const explain: Command = {
  name: 'explain',
  summary: 'what a cause or an error code of the hub means, how each side sees it, and what to do',
  usage: '[CAUSE|CODE|ERROR]',
  details:
    'A cause is an id such as dns-failure, a code is one of the hub such as 404104 or 500xxx, or its name, and an error is a word of the system such as ECONNREFUSED. Without any, causes and codes are listed.',
  options: {},
  positionalsMax: 1,
  async run(values, [asked], io) {
    if (asked === undefined) {
      const lines = values.json
        ? [...catalogue.map(causeJson), ...codes.map(code => codeJson(code, causesFor(code)))]
        : overview()
      for (const line of lines) io.print(line)
      return 0
    }
    const found = lookUp(asked)
    switch (found.kind) {
      case 'cause':
        for (const line of values.json ? [causeJson(found.cause)] : describeCause(found.cause)) io.print(line)
        return 0
      case 'codes':
        for (const { code, causes } of found.codes) {
          for (const line of values.json ? [codeJson(code, causes)] : describeCode(code, causes)) io.print(line)
        }
        return 0
      case 'error': {
        const { word, means, causes } = found
        const lines = values.json
          ? [JSON.stringify({ error: word, means, causes: causes.map(plain) })]
          : [word, '', ...wrapped(means), '', ...causes.flatMap(causeBriefly)]
        for (const line of lines) io.print(line)
        return 0
      }
      case 'nothing':
        io.complain(`hubrec explain: neither a cause nor a code: "${asked}"`)
        io.complain(`did you mean ${found.nearest.join(', ')}? hubrec explain lists all causes`)
        return 2
    }
  },
}

const causeJson = (cause: Cause): string => JSON.stringify(plain(cause))

const codeJson = (code: HubCode, causes: readonly Cause[]): string =>
  JSON.stringify({ ...code, causes: causes.map(plain) })

/** A cause without its rules. */
const plain = ({ id, family, title, hubCodes, ceiling, planned, sees, meaning, tells, nextSteps, docs }: Cause) => ({
  cause: id,
  family,
  title,
  hubCodes,
  ceiling,
  planned,
  sees,
  meaning,
  tells,
  nextSteps,
  docs,
})

function overview(): string[] {
  const width = Math.max(...catalogue.map(({ id }) => id.length))
  const listed = families.flatMap(family => {
    const members = catalogue.filter(cause => cause.family === family)
    return [family, ...members.map(({ id, title }) => `  ${id.padEnd(width)}  ${title}`), '']
  })
  return [
    ...listed,
    'codes',
    ...codes.map(({ code, name }) => `  ${code.padEnd(width)}  ${name}`),
    '',
    'hubrec explain CAUSE or hubrec explain CODE says more.',
  ]
}

function describeCause(cause: Cause): string[] {
  const { id, family, title, planned, sees, meaning, tells, nextSteps, docs, hubCodes, ceiling } = cause
  return [
    `${id}: ${title}`,
    '',
    ...wrapped(meaning),
    ...(planned ? wrapped('It is planned: nothing has to be repaired.') : []),
    '',
    ...sides(sees),
    '',
    ...labelled('for it', tells.raises),
    ...labelled('against', tells.rulesOut),
    '',
    'at the device, do this',
    ...numbered(nextSteps.device),
    '',
    'with the portal, do this',
    ...numbered(nextSteps.portal),
    '',
    ...(hubCodes.length > 0 ? ['codes the hub may show', ...hubCodes.flatMap(codeLine), ''] : []),
    ...labelled('family', family),
    ...labelled('how sure', howSure(ceiling)),
    ...docs.flatMap(({ title: page, address }) => [...labelled('read', page), `${' '.repeat(labelWidth)}${address}`]),
  ]
}

function describeCode(code: HubCode, causes: readonly Cause[]): string[] {
  return [
    `${code.code} ${code.name}`,
    '',
    ...wrapped(code.means),
    ...labelled('seen by', code.seenBy),
    ...labelled('device', code.device),
    ...labelled("hub's log", code.log),
    '',
    ...(causes.length === 0
      ? [...wrapped('None of the causes that hubrec knows goes with this code.'), '']
      : causes.flatMap(causeBriefly)),
  ]
}

const causeBriefly = (cause: Cause): string[] => [
  `${cause.id}: ${cause.title}`,
  ...sides(cause.sees),
  ...labelled('then', cause.nextSteps.device[0] ?? ''),
  ...labelled('', cause.nextSteps.portal[0] ?? ''),
  ...labelled('more', `hubrec explain ${cause.id}`),
  '',
]

const sides = ({ device, hub, log }: Cause['sees']): string[] => [
  ...labelled('device', device),
  ...labelled('hub', hub),
  ...labelled("hub's log", log),
]

const codeLine = (wanted: string): string[] => {
  const known = codes.find(({ code }) => code === wanted)
  return labelled(wanted, known ? `${known.name}. ${known.means}` : '')
}

function howSure({ mqtt, amqp }: Cause['ceiling']): string {
  if (mqtt === amqp) return limits[mqtt]
  return `MQTT: ${limits[mqtt]}; AMQP: ${limits[amqp]}`
}

const limits: Readonly<Record<Ceiling, string>> = {
  certain: 'the device alone can be certain of it',
  likely: 'the device alone can at most call it likely; the log of the hub decides',
  possible: 'the device alone can at most call it possible; the log of the hub decides',
  none: 'the device cannot see it, so it is never a verdict',
}

const labelWidth = 12

/** Terminals on site are narrow. */
const lineMax = 96

function labelled(label: string, text: string): string[] {
  const [first = '', ...rest] = broken(text, lineMax - labelWidth)
  return [`  ${label}`.padEnd(labelWidth) + first, ...rest.map(line => ' '.repeat(labelWidth) + line)]
}

const wrapped = (text: string): string[] => broken(text, lineMax - 2).map(line => `  ${line}`)

const numbered = (steps: readonly string[]): string[] =>
  steps.flatMap((step, index) =>
    broken(step, lineMax - 5).map((line, row) => (row === 0 ? `  ${index + 1}. ${line}` : `     ${line}`)),
  )

/** Broken between words; a word that is too long gets a line of its own. */
function broken(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}
