import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bundle } from '../../agent/cli/bundle.js'
import type { Io, Values } from '../../agent/cli/command.js'
import { recordRing, story } from '../support/recorded-ring.js'

/** Runs the command on a state directory with the story in its ring. */
const prepare = async (t: Test) => {
  // A socket's path may not be long, and they lie in it.
  const dir = await mkdtemp(join(tmpdir(), 'hubrec-'))
  t.teardown(() => rm(dir, { recursive: true }))
  await recordRing(join(dir, 'ring'), story)
  const run = async (values: Values): Promise<string[]> => {
    const printed: string[] = []
    const io: Io = {
      print: line => void printed.push(line),
      write: () => undefined,
      complain: () => undefined,
      room: async () => undefined,
      env: { HUBREC_CONNECTION_STRING: 'HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=c2VjcmV0c2VjcmV0' },
      signal: new AbortController().signal,
      isTerminal: false,
    }
    t.equal(await bundle.run({ 'state-dir': dir, ...values }, [], io), 0)
    return printed
  }
  return { dir, run }
}

t.test('a dry run lists what would go in, with sizes, and writes nothing', async t => {
  const { dir, run } = await prepare(t)
  const printed = await run({ 'dry-run': true })
  t.match(printed[0], /^from 2026-11-22T10:00:00.000Z to /)
  t.match(printed, [
    /^from/,
    /^ {2}state.json {7}known when it is asked for$/,
    ...printed.slice(2, -1).map(() => /^ {2}\S+ +(known when it is asked for|about \d+ bytes)$/),
    /^the records are about \d+ bytes when they are packed; the bundle may have 33554432$/,
  ])
  t.match(printed.join('\n'), /\n {2}records.ndjson {3}about \d{4} bytes\n/)
  t.strictSame(await readdir(dir), ['ring'])
  const [json = ''] = await run({ 'dry-run': true, json: true, type: ['sample,config'] })
  t.match(JSON.parse(json), {
    window: { from: '2026-11-22T10:00:00.000Z' },
    bytesMax: 33_554_432,
    entries: [
      { name: 'records.ndjson', is: 'about' },
      { name: 'samples.csv', is: 'about' },
      { name: 'config.json', bytes: null, is: null },
    ],
  })
})

t.test('names that are none are refused, all at once', async t => {
  const { run } = await prepare(t)
  await t.rejects(run({ type: ['samples', 'wire,logs'] }), {
    code: 'USAGE',
    problems: [/^--type: found "samples"; expected one of wire, sample, /, /^--type: found "logs"; /],
  })
})
