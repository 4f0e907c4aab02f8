/** The operator's log on real pipes, terminals and full disks; nothing that happens there reaches who logs. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { waitingBytesMax } from '../agent/line-output.js'
import { createOperatorLog, type Fields, type OperatorLogOptions } from '../agent/operator-log.js'
import { createRedactor } from '../agent/redact.js'
import { createSecrets } from '../transports/secrets.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='

type Recorded = readonly [level: number, message: string, fields: Fields]

function open(fd: number, options: Partial<OperatorLogOptions> = {}) {
  const secrets = createSecrets()
  secrets.add('shared-access-key', key)
  const records: Recorded[] = []
  const operatorLog = createOperatorLog({
    level: 'info',
    redactor: createRedactor(secrets),
    onRecord: (...record) => void records.push(record),
    env: {},
    fd,
    ...options,
  })
  return { ...operatorLog, lost: () => operatorLog.lost, records }
}

/** What comes out in a file, line by line. */
async function linesOf(
  t: Test,
  use: (opened: ReturnType<typeof open>) => void,
  options: Partial<OperatorLogOptions> = {},
) {
  const path = join(t.testdir(), 'log')
  const opened = open(openSync(path, 'a'), options)
  use(opened)
  await opened.close()
  return readFileSync(path, 'utf8').split('\n').slice(0, -1)
}

/** Both ends of a real pipe. */
function pipe(t: Test): { reader: number; writer: number } {
  const path = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, writer: openSync(path, constants.O_WRONLY) }
}

t.test('a line is JSON with level, time, fields and message, and the ring gets the same', async t => {
  const [line, ...rest] = await linesOf(t, ({ log, records }) => {
    log.info('connected', { host: 'hub', attempt: 2 })
    t.strictSame(records, [[30, 'connected', { host: 'hub', attempt: 2 }]])
  })
  const { time, ...entry } = JSON.parse(line!)
  t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.strictSame(entry, { level: 30, host: 'hub', attempt: 2, msg: 'connected' })
  t.strictSame(rest, [])
})

t.test('stdout shows from the configured level on, the ring gets everything from info on', async t => {
  const told = async (level: OperatorLogOptions['level']) => {
    let recorded: readonly string[] = []
    const lines = await linesOf(
      t,
      ({ log, records }) => {
        for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) log[name](name)
        recorded = records.map(([, message]) => message)
      },
      { level },
    )
    return [lines.map(line => JSON.parse(line).msg), recorded]
  }
  const recorded = ['info', 'warn', 'error', 'fatal']
  t.strictSame(await told('trace'), [['trace', 'debug', ...recorded], recorded])
  t.strictSame(await told('info'), [recorded, recorded])
  t.strictSame(await told('error'), [['error', 'fatal'], recorded])
  t.strictSame(await told('silent'), [[], recorded])
})

t.test('a secret is in no line and in no record', async t => {
  const error = new Error(`cannot sign with ${key}`, { cause: new Error(`key ${key}`) })
  let recorded = ''
  const lines = await linesOf(t, ({ log, records }) => {
    log.error(`failed with ${key}`, {
      error,
      url: `https://h/?k=${encodeURIComponent(key)}`,
      [key]: JSON.stringify({ key }),
    })
    recorded = JSON.stringify(records)
  })
  for (const text of [lines.join('\n'), recorded]) {
    t.notOk(text.includes('q9f') || text.includes('Zb0yPq'), text)
    t.match(text, /cannot sign with \[removed:shared-access-key\]/)
  }
})

t.test('an error is written with its cause', async t => {
  const [line] = await linesOf(t, ({ log }) =>
    log.warn('no', { err: new TypeError('bad', { cause: new Error('worse') }) }),
  )
  t.match(JSON.parse(line!), { err: { type: 'TypeError', message: 'bad', cause: { type: 'Error', message: 'worse' } } })
})

t.test('a field does not pass itself off as something else, and what cannot be written does no harm', async t => {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const trap = Object.defineProperty({}, 'boom', {
    enumerable: true,
    get() {
      throw new Error('do not touch')
    },
  })
  const lines = await linesOf(t, ({ log }) => {
    log.info('fields', { level: 60, time: 'never', msg: 'other', 'a"b': 1, __proto__: null, big: 10n, none: undefined })
    log.info('circle', { circle })
    log.info('trap', trap)
    log.info('%s %d %j {}')
  })
  const entries = lines.map(line => JSON.parse(line)).map(({ time, ...entry }) => entry)
  t.strictSame(entries, [
    { level: 30, level_: 60, time_: 'never', msg_: 'other', 'a"b': 1, big: 10, msg: 'fields' },
    { level: 30, circle: { self: '[Circular]' }, msg: 'circle' },
    { level: 30, unreadableFields: 'do not touch', msg: 'trap' },
    { level: 30, msg: '%s %d %j {}' },
  ])
})

t.test('under systemd each line has its priority and nothing can forge another', async t => {
  const env = { JOURNAL_STREAM: '8:12345' }
  const lines = await linesOf(
    t,
    ({ log }) => {
      for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const)
        log[name](name, { at: 'the hub', n: 1 })
      log.info('evil\n<0>forged', {
        text: 'a\nb\u001b[31m\u202e\u009b1m',
        empty: '',
        list: [1, 'x'],
        error: new Error('no'),
      })
      log.info('x'.repeat(50_000))
    },
    { env, level: 'trace' },
  )
  t.equal(lines.at(-1)?.length, '<6>'.length + 8_000 + '...'.length)
  t.strictSame(lines.slice(0, -1), [
    '<7>trace at="the hub" n=1',
    '<7>debug at="the hub" n=1',
    '<6>info at="the hub" n=1',
    '<4>warn at="the hub" n=1',
    '<3>error at="the hub" n=1',
    '<2>fatal at="the hub" n=1',
    '<6>evil\\u000a<0>forged text="a\\nb\\u001b[31m\\u202e\\u009b1m" empty="" list=[1,"x"] error="no"',
  ])
})

/** Runs a program with the compiled log on its own stdout. */
const program = (use: string): string[] => {
  const at = (path: string) => JSON.stringify(fileURLToPath(new URL(`../${path}.js`, import.meta.url)))
  return [
    '--input-type=module',
    '-e',
    `import { createOperatorLog } from ${at('agent/operator-log')}
     import { createRedactor } from ${at('agent/redact')}
     import { createSecrets } from ${at('transports/secrets')}
     const operatorLog = createOperatorLog({
       level: 'info', redactor: createRedactor(createSecrets()), onRecord() {}, env: process.env,
     })
     const { log } = operatorLog
     ${use}`,
  ]
}

t.test('on a terminal a line is short and for people', async t => {
  const node = [process.execPath, ...program("log.warn('slow', { rttMs: 900 }); await operatorLog.close()")]
  const command = node.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, JOURNAL_STREAM: '8:1' },
  })
  t.match(stdout, /^\d\d:\d\d:\d\dZ warn {2}slow rttMs=900\r\n$/)
})

t.test('a pipe that somebody reads has every line', async t => {
  const { stdout } = spawnSync(process.execPath, program("for (let n = 0; n < 900; n++) log.info('line ' + n)"), {
    encoding: 'utf8',
  })
  t.strictSame(
    stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).msg),
    Array.from({ length: 900 }, (_, n) => `line ${n}`),
  )
})

t.test('a pipe whose reader has gone is written no more, and the ring still gets every line', async t => {
  const { reader, writer } = pipe(t)
  closeSync(reader)
  const { log, records, lost, close } = open(writer)
  log.info('first')
  while (lost() === 0) {
    await wait(1)
    log.info('next')
  }
  const before = lost()
  log.info('last')
  t.equal(lost(), before + 1)
  t.strictSame(records.at(-1), [30, 'last', {}])
  await close()
})

t.test('a program whose stdout is closed under it goes on to its end', async t => {
  const use = `for (let n = 0; n < 50; n++) { log.info('line'); await new Promise(resolve => setTimeout(resolve, 1)) }
    await operatorLog.close()
    console.error(operatorLog.lost > 0 ? 'to the end' : 'nothing lost')`
  const child = spawn(process.execPath, program(use), { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.stdout.destroy())
  const said: Buffer[] = []
  child.stderr.on('data', chunk => said.push(chunk))
  t.strictSame(await once(child, 'close'), [0, null])
  t.equal(Buffer.concat(said).toString(), 'to the end\n')
})

t.test('a full disk throws nothing, and what it does not take is counted', async t => {
  const { log, records, lost, close } = open(openSync('/dev/full', 'w'))
  const line = 'x'.repeat(1_000)
  for (let n = 0; n < 1_000; n++) {
    log.info(line)
    if (n % 50 === 0) await wait(1)
  }
  t.ok(lost() > 700, `${lost()} of 1000`)
  t.ok((1_000 - lost()) * 1_000 <= waitingBytesMax)
  t.equal(records.length, 1_000)
  await close()
  log.info('after the end')
  t.equal(records.length, 1_001)
})

t.test('when a slow reader reads again, the log says how many lines were lost', async t => {
  const { reader, writer } = pipe(t)
  const { log, lost, close } = open(writer)
  for (let n = 0; n < 1_000; n++) log.info('x'.repeat(1_000))
  const stuck = lost()
  t.ok(stuck > 500, `${stuck} of 1000`)
  const stream = new Socket({ fd: reader, readable: true, writable: false })
  let text = ''
  for await (const chunk of stream) {
    text += chunk
    if (text.endsWith('\n') && text.includes('lines of this log were lost')) break
  }
  await close()
  const said = JSON.parse(text.trim().split('\n').at(-1)!)
  t.match(said, { level: 40, msg: 'lines of this log were lost', lost: stuck, why: 'too slow' })
  t.equal(lost(), stuck)
})

t.test('a reader who is stuck for good does not hold the end of the program', async t => {
  const use = `for (let n = 0; n < 1000; n++) log.info('x'.repeat(1000))
    await operatorLog.close()
    process.exit(0)`
  // Nobody reads this child's stdout before it has ended.
  const child = spawn(process.execPath, program(use), { stdio: ['ignore', 'pipe', 'inherit'] })
  t.strictSame(await once(child, 'exit'), [0, null])
  child.stdout.destroy()
})

t.test('a ring that refuses a line, or logs while it records, disturbs nobody', async t => {
  let refused = 0
  const onRecord = () => {
    refused += 1
    throw new Error('no room')
  }
  const lines = await linesOf(t, ({ log }) => log.info('a line'), { onRecord })
  t.equal(refused, 1)
  t.strictSame(
    lines.map(line => JSON.parse(line).msg),
    ['a line', 'a line of this log could not be recorded'],
  )
})
