import t from 'tap'
import type { Io } from '../../agent/cli/command.js'
import { explain } from '../../agent/cli/explain.js'
import { catalogue } from '../../agent/diagnosis/catalogue.js'
import { codes } from '../../agent/diagnosis/codes.js'
import { errorWords } from '../../agent/diagnosis/error-words.js'
import { likelyFor } from '../../agent/diagnosis/likelihood.js'

type Said = { printed: string[]; complained: string[]; exitCode: number }

async function ask(asked: string[], json = false): Promise<Said> {
  const printed: string[] = []
  const complained: string[] = []
  const io: Io = {
    print: line => void printed.push(line),
    write: () => undefined,
    room: async () => undefined,
    complain: line => void complained.push(line),
    env: {},
    signal: new AbortController().signal,
    isTerminal: false,
  }
  const exitCode = await explain.run({ json }, asked, io)
  return { printed, complained, exitCode }
}

t.test('without an argument every cause is listed once, under its family', async t => {
  const { printed, exitCode } = await ask([])
  t.equal(exitCode, 0)
  t.strictSame(
    printed.filter(line => /^\S+$/.test(line)),
    ['network', 'tls', 'credential', 'identity', 'service', 'protocol', 'local', 'unknown', 'codes'],
  )
  t.strictSame(
    printed.flatMap(line => /^ {2}([a-z][a-z0-9-]+) {2}/.exec(line)?.[1] ?? []).sort(),
    catalogue.map(({ id }) => id).sort(),
  )
})

t.test('a cause is explained from every side', async t => {
  const { printed, exitCode, complained } = await ask(['wrong-key'])
  t.equal(exitCode, 0)
  t.strictSame(complained, [])
  t.equal(printed[0], 'wrong-key: The hub refused the credential')
  const text = printed.join('\n')
  for (const expected of [
    /^ {2}device {4}DNS, TCP and TLS are fine/m,
    /^ {2}hub {7}A signature/m,
    /^ {2}hub's log 401003 or 401002/m,
    /^at the device, do this\n {2}1\. Compare/m,
    /^with the portal, do this\n {2}1\. In the portal/m,
    /^ {2}401003 {4}IotHubUnauthorized\. /m,
    /^ {2}how sure {2}the device alone can at most call it likely/m,
    /^ {12}https:\/\/learn\.microsoft\.com\/azure\/iot-hub\/troubleshoot-error-codes$/m,
  ]) {
    t.match(text, expected)
  }
  t.ok(
    printed.every(line => line.length <= 96 || !line.trim().includes(' ')),
    'no line is wider than a narrow terminal',
  )
})

t.test('a planned cause says that nothing has to be repaired, and one that differs by protocol says how', async t => {
  t.match((await ask(['graceful-close'])).printed.join('\n'), 'It is planned: nothing has to be repaired.')
  t.match(
    (await ask(['throttled'])).printed.join(' ').replace(/ +/g, ' '),
    'MQTT: the device alone can at most call it possible; the log of the hub decides; AMQP: the device alone can be certain of it',
  )
  t.match((await ask(['device-not-online'])).printed.join('\n'), 'the device cannot see it, so it is never a verdict')
})

t.test('a code is explained with the causes behind it', async t => {
  const { printed, exitCode } = await ask(['404104'])
  t.equal(exitCode, 0)
  t.equal(printed[0], '404104 DeviceConnectionClosedRemotely')
  const explained = printed.flatMap(line => /^ {2}more {6}hubrec explain (.+)$/.exec(line)?.[1] ?? [])
  t.strictSame(
    explained.toSorted(),
    catalogue.flatMap(({ id, hubCodes }) => (hubCodes.includes('404104') ? [id] : [])).sort(),
  )
  t.equal(explained[0], 'link-lost-keepalive', 'the likeliest first')
})

t.test('a code that is no reason for a lost connection is explained all the same', async t => {
  const { printed, exitCode } = await ask(['401004'])
  t.equal(exitCode, 0)
  t.match(printed.join('\n'), 'None of the causes that hubrec knows goes with this code.')
})

t.test('the beginning of a code explains them all', async t => {
  const { printed, exitCode } = await ask(['500xxx'])
  t.equal(exitCode, 0)
  t.strictSame(
    printed.filter(line => /^\d/.test(line)),
    ['500001 ServerError', '500008 GenericTimeout'],
  )
})

t.test('what nobody knows is a usage error, with what was perhaps meant', async t => {
  t.strictSame(await ask(['dns-failur']), {
    printed: [],
    complained: [
      'hubrec explain: neither a cause nor a code: "dns-failur"',
      'did you mean dns-failure, dps-failure, ip-filter? hubrec explain lists all causes',
    ],
    exitCode: 2,
  })
  t.equal((await ask(['401099'], true)).exitCode, 2)
})

t.test('as JSON each cause and each code is one line', async t => {
  const all = (await ask([], true)).printed.map(line => JSON.parse(line))
  t.strictSame(
    all.map(({ cause, code }) => cause ?? code),
    [...catalogue.map(({ id }) => id), ...codes.map(({ code }) => code)],
  )
  const [line = '', ...more] = (await ask(['port-refused'], true)).printed
  t.strictSame(more, [])
  const portRefused = JSON.parse(line)
  t.strictSame(Object.keys(portRefused), [
    'cause',
    'family',
    'title',
    'hubCodes',
    'ceiling',
    'planned',
    'sees',
    'meaning',
    'tells',
    'nextSteps',
    'docs',
  ])
  const server = (await ask(['500xxx'], true)).printed.map(each => JSON.parse(each))
  t.strictSame(
    server.map(({ code, name, causes }) => ({
      code,
      name,
      causes: causes.map((each: { cause: string }) => each.cause),
    })),
    [
      { code: '500001', name: 'ServerError', causes: ['hub-transient-5xx', 'amqp-cbs-nonauth'] },
      { code: '500008', name: 'GenericTimeout', causes: ['hub-transient-5xx', 'cbs-timeout', 'connack-timeout'] },
    ],
  )
})

t.test('a word of the system leads to causes, the likeliest first, and every cause that is named is there', async t => {
  const { printed, exitCode } = await ask(['econnrefused'])
  t.equal(exitCode, 0)
  t.equal(printed[0], 'ECONNREFUSED')
  t.strictSame(
    printed.flatMap(line => /^([a-z-]+): /.exec(line)?.[1] ?? []),
    ['port-refused', 'port-blocked', 'edge-gateway-unreachable'],
  )
  const ids = new Set(catalogue.map(({ id }) => id))
  const named = [...Object.values(errorWords).flatMap(({ causes }) => causes), ...Object.values(likelyFor).flat()]
  t.strictSame(
    named.filter(id => !ids.has(id)),
    [],
  )
  t.match(JSON.parse((await ask(['ENOTFOUND'], true)).printed[0] ?? ''), {
    error: 'ENOTFOUND',
    causes: [{ cause: 'dns-failure' }, {}, {}],
  })
})

t.test('behind 401003 a wrong key is looked for first', async t => {
  const { printed } = await ask(['401003'])
  t.equal(printed.flatMap(line => /^([a-z0-9-]+): /.exec(line)?.[1] ?? [])[0], 'wrong-key')
})
