/** `hubrec doctor` as a person or a script meets it, and the page that is made from the checks. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { type Check, families, ok } from '../../agent/doctor/check.js'
import { checks } from '../../agent/doctor/checks.js'
import { createFacts } from '../../agent/doctor/facts.js'
import { runDoctor } from '../../agent/doctor/run.js'
import { linesOf, type Report, reportOf, summaryOf } from '../../agent/doctor/tell.js'
import { startHub } from '../hub/hub.js'
import { doctorPage } from '../support/doctor-page.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('pump')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('each check has what a reader needs, and needs only what stands before it', async t => {
  const seen = new Set<string>()
  for (const { id, family, question, why, remedies, needs } of checks) {
    t.match(id, /^[a-z]+(-[a-z]+)*$/)
    t.notOk(seen.has(id), id)
    t.ok(families.includes(family), id)
    t.match(question, /\?$/, id)
    t.match(why, /\.$/, id)
    t.ok(remedies.length > 0 && remedies.every(remedy => remedy.length > 10), id)
    t.strictSame(
      needs.filter(need => !seen.has(need)),
      [],
      id,
    )
    seen.add(id)
  }
})

t.test('the page tells every check with its remedy', async t => {
  t.equal(
    readFileSync('docs/doctor.md', 'utf8'),
    doctorPage(checks),
    'if not: HUBREC_WRITE=1 node dist/test/support/doctor-page.js',
  )
})

const facts = createFacts({
  config: async () => {
    throw new Error('nobody asks for it')
  },
  env: {},
  protocol: undefined,
  mayDisconnect: false,
  signal: new AbortController().signal,
})
const check = (id: string, ask: Check['ask'], needs: readonly string[] = []): Check => ({
  id,
  family: 'hub',
  question: 'Well?',
  why: 'It matters.',
  remedies: ['Mend it.'],
  needs,
  ask,
})

t.test('what hangs costs its own answer, what fails says why, and what waits for it is skipped', async t => {
  const all = await runDoctor({
    facts,
    checks: [
      check('good', async () => ok('it is', { n: 1 })),
      check('hangs', () => {
        // What nobody holds goes now; a limit that went too would never come.
        setImmediate(collect)
        return new Promise(() => undefined)
      }),
      check('throws', async () => {
        throw new Error('no road')
      }),
      check('waits', async () => ok('never'), ['good', 'hangs', 'throws']),
      check('waits-on', async () => ok('never'), ['waits']),
    ],
    signal: new AbortController().signal,
    limitMs: 50,
  })
  t.strictSame(
    all.map(({ check: { id }, answer: { result, found } }) => `${id} ${result}: ${found}`),
    [
      'good ok: it is',
      'hangs failed: no answer came in time',
      'throws failed: no road',
      'waits skipped: waits for hangs, throws',
      'waits-on skipped: waits for waits',
    ],
  )
  t.strictSame(all.flatMap(linesOf), [
    'ok       good               it is',
    'FAILED   hangs              no answer came in time',
    '         why:  It matters.',
    '         try:  Mend it.',
    'FAILED   throws             no road',
    '         why:  It matters.',
    '         try:  Mend it.',
    'skipped  waits              waits for hangs, throws',
    'skipped  waits-on           waits for waits',
  ])
  t.equal(summaryOf(all), '1 ok, 0 warnings, 2 failed, 2 skipped')
  t.match(reportOf(all, 'now'), {
    additional_info: { at: 'now' },
    checks: {
      good: { result: { result: 'ok', details: ['it is'] }, additional_info: { n: 1, question: 'Well?' } },
      throws: { result: { result: 'failed', details: ['no road', 'It matters.', 'Mend it.'] } },
    },
  })
})

t.test('the command: 0 where all is well, 1 where a check has failed, 2 for what it does not know', async t => {
  const ports = { mqtt: door.port, amqp: door.port, https: door.port }
  const connectionString = hub.connectionString('pump', undefined, { port: false })
  await using gateway = await Gateway.make(hub, connectionString, {
    connection: { ports, knownRootsFile: hub.caFile, connectionStringFile: undefined },
    probes: { portalUrl: null, controlName: null },
  })
  const { writeFileSync } = await import('node:fs')
  const secret = `${gateway.dir}/connection-string`
  writeFileSync(secret, connectionString, { mode: 0o600 })
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8'))
  config.connection.connectionStringFile = secret
  writeFileSync(gateway.configFile, JSON.stringify(config))

  const well = await gateway.run('doctor', '--config', gateway.configFile)
  t.equal(well.code, 0, well.out + well.err)
  t.equal(well.err, '', 'nothing but what was asked for, no warning of Node either')
  t.match(well.out, /^ok {7}sign-in {12}over mqtt, and methods are subscribed/m)
  t.match(well.out, /\d+ ok, \d+ warnings?, 0 failed, \d+ skipped\n$/)
  t.notOk(well.out.includes('SharedAccessKey') || well.out.includes(String.fromCharCode(27)))

  await hub.disableDevice('pump')
  const refused = await gateway.run('doctor', '--json', '--config', gateway.configFile)
  t.equal(refused.code, 1)
  const { checks: found } = JSON.parse(refused.out)
  t.equal(found['sign-in'].result.result, 'failed')
  t.match(found['sign-in'].result.details[0], /connack refused over mqtt with 5/)
  await hub.enableDevice('pump')

  const { code, err } = await gateway.run('doctor', '--protocol', 'carrier-pigeon', '--config', gateway.configFile)
  t.strictSame([code, err], [2, 'hubrec doctor: --protocol: expected one of mqtt, mqtt-ws, amqp, amqp-ws\n'])

  const { child, line } = gateway.follow('doctor', '--watch', '--config', gateway.configFile)
  const until = async (wanted: RegExp): Promise<string> => {
    for (;;) {
      const said = await line()
      if (wanted.test(said) || said === 'undefined') return said
    }
  }
  t.match(await until(/^ok +sign-in/), /methods are subscribed/)
  await door.set({ kind: 'refuse' })
  t.match(await until(/^FAILED +tcp-mqtt/), /ECONNREFUSED/)
  door.heal()
  t.match(await until(/^ok +tcp-mqtt/), /takes connections/)
  child.kill('SIGINT')

  const lines = gateway.follow('doctor', '--watch', '--json', '--config', gateway.configFile)
  const first = JSON.parse(await lines.line()) as Report
  t.strictSame(
    Object.keys(first.checks),
    checks.map(({ id }) => id),
  )
  await door.set({ kind: 'refuse' })
  const then = JSON.parse(await lines.line()) as Report
  t.equal(then.checks['tcp-mqtt']?.result.result, 'failed')
  t.notOk('configuration' in then.checks, 'what is as before is not said again')
  lines.child.kill('SIGINT')
})
