/** The model of what stands in the twin: sound DTDL, and the same as what the code takes and says. */
import { readFileSync } from 'node:fs'
import { createParser, ModelParsingOption } from '@azure/dtdl-parser'
import t from 'tap'
import { isObject, type Json } from '../../agent/twin/patch.js'
import { twinProperties } from '../../agent/twin/properties.js'
import { reportedState } from '../../agent/twin/state.js'
import { componentName } from '../../agent/twin/twin.js'

type Schema = string | Readonly<{ '@type': string; fields?: readonly Field[]; mapValue?: { schema: Schema } }>
type Field = Readonly<{ name: string; schema: Schema }>
type Content = Field & Readonly<{ '@type': string; writable?: true }>
type Interface = Readonly<{ '@id': string; contents: readonly Content[] }>

const text = readFileSync('deploy/hubrec.dtdl.json', 'utf8')
const [device, recorder] = JSON.parse(text) as [Interface, Interface]

const at = '2026-11-27T10:00:00.000Z'

/** Everything that can be reported, each once. */
const full = reportedState({
  versions: {
    hubrec: '0.1.0',
    sdk: { device: '1.18.4', mqtt: '1.16.4', amqp: '1.14.4', mqttClient: '4.3.8' },
    node: '20.20.0',
    os: 'Linux',
  },
  protocol: 'mqtt',
  tally: {
    since: at,
    countedSince: at,
    outages: 1,
    awayMs: 1_000,
    lastOutage: { id: 'a', cause: 'b', confidence: 'c', startedAt: at, endedAt: at, durationSeconds: 1 },
    lastVerdicts: { 'dns-failure': { confidence: 'certain', at, count: 1 } },
  },
  conditions: [{ code: 'ring-in-memory', severity: 'error', since: at, text: 'x', dependsOn: [] }],
  ring: {
    bytes: 5,
    budgetBytes: 10,
    segments: 1,
    firstSeq: 1,
    lastSeq: 1,
    mode: 'disk',
    lostUnsaid: 0,
    writtenDayBytes: 0,
    writesAreGrouped: false,
  },
  outbox: { waiting: 1, bytes: 5 },
  task: { correlationId: 'a', status: 'Running', message: 'x', bytesDone: 1, bytesTotal: 2, blobName: 'b' },
})

/** A value in the words of the model. */
function shapeOf(value: unknown): unknown {
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]))
  if (typeof value === 'number') return 'number'
  return value === at ? 'dateTime' : 'string'
}

/** Of a model; a map has one entry, under the name that the value has it. */
function modelled(schema: Schema, value: unknown): unknown {
  if (typeof schema === 'string') return schema === 'integer' || schema === 'long' ? 'number' : schema
  const { fields, mapValue } = schema
  const inner = isObject(value) ? value : {}
  if (fields) return Object.fromEntries(fields.map(({ name, schema }) => [name, modelled(schema, inner[name])]))
  return Object.fromEntries(Object.entries(inner).map(([key, each]) => [key, modelled(mapValue!.schema, each)]))
}

t.test('it is sound', async t => {
  const parser = createParser(ModelParsingOption.PermitAnyTopLevelElement)
  const model = await parser.parse([text])
  t.ok(Object.keys(model).includes('dtmi:hubrec:FlightRecorder;1'))
  const unsound = text.replace('"dateTime"', '"date-and-time"')
  await t.rejects(
    createParser(ModelParsingOption.PermitAnyTopLevelElement).parse([unsound]),
    'and not whatever it says',
  )
})

t.test('the component has the name that the twin has it under', async t => {
  t.match(device.contents, [{ '@type': 'Component', name: componentName, schema: recorder['@id'] }])
})

t.test('what may be written is what the code takes, and the other way round', async t => {
  const writable = recorder.contents.filter(({ writable }) => writable === true).map(({ name }) => name)
  t.strictSame(writable.sort(), [...twinProperties.map(({ name }) => name), 'collect'].sort())
})

t.test('what is reported is what the model says, field by field', async t => {
  const reported: Json = {
    ...full,
    collected: { id: 'a', correlationId: 'b', status: 'c', bytesDone: 1, bytesTotal: 2, blobName: 'd' },
  }
  const readable = recorder.contents.filter(({ writable }) => writable !== true)
  t.strictSame(
    sorted(Object.fromEntries(readable.map(({ name, schema }) => [name, modelled(schema, reported[name])]))),
    sorted(shapeOf(reported) as Json),
  )
})

const sorted = (json: Json): [string, unknown][] => Object.entries(json).sort(([a], [b]) => a.localeCompare(b))
