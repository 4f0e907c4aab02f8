/** Direct methods over real rings and a real outbox, as IoT Edge's agent would answer them. */

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { readEpisodes } from '../../agent/evidence/read.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import type { MethodAnswer } from '../../transports/transport.js'
import { methodsDevice, nowMs, sasUrl } from '../support/methods-device.js'
import { episodeOf, type Line, storyStartMs } from '../support/recorded-ring.js'

type Logs = readonly { id: string; payloadBytes: string | null; payload: string | null }[]
type LogLine = Readonly<{ loglevel: number; text: string; timestamp: string }>

/** The lines of the first answer. */
const linesOf = ({ payload }: MethodAnswer): readonly LogLine[] => JSON.parse((payload as Logs)[0]?.payload ?? 'null')

const asking = (filter: object = {}, rest: object = {}) => ({
  schemaVersion: '1.0',
  items: { id: 'hubrec', filter },
  ...rest,
})

t.test('ping answers, whatever it is told', async t => {
  const { call, raw } = await methodsDevice(t)
  t.strictSame(await call('ping'), { status: 200 })
  t.strictSame(await call('Ping', null), { status: 200 })
  t.strictSame(await raw('ping', Buffer.from([0xff, 0x00])), { status: 200 })
})

t.test('a method is answered under both spellings, another one is not known', async t => {
  const { call } = await methodsDevice(t)
  t.strictSame(await call('RunDoctor'), {
    status: 200,
    payload: { checks: { 'hub-name': { result: { result: 'ok' } } } },
  })
  t.strictSame(await call('GetStatus'), { status: 200, payload: { daemon: 'running' } })
  t.strictSame(await call('getStatus', { schemaVersion: '1.1' }), { status: 200, payload: { daemon: 'running' } })
  for (const name of ['GETSTATUS', 'get-status', 'CancelTasks', '', '__proto__', 'constructor']) {
    t.strictSame(await call(name), {
      status: 400,
      payload: {
        message:
          'unknown method; this device answers ping, GetModuleLogs, UploadModuleLogs, UploadSupportBundle, GetTaskStatus, CancelTask, GetStatus, GetEpisodes, RunDoctor',
      },
    })
  }
})

t.test('logs come as a string that holds an array, with IoT Edge’s fields', async t => {
  const { call } = await methodsDevice(t)
  const { status, payload } = await call('GetModuleLogs', asking())
  t.equal(status, 200)
  t.strictSame(
    (payload as Logs).map(({ payload: _, ...rest }) => rest),
    [{ id: 'hubrec', payloadBytes: null }],
  )
  const lines = linesOf({ status, payload })
  t.equal(lines.length, 10)
  t.strictSame(lines[7], {
    iothub: 'my-hub.azure-devices.net',
    device: 'gate',
    id: 'hubrec',
    stream: 'stdout',
    loglevel: 3,
    text: 'something failed: ERR 7',
    timestamp: '2026-11-22T10:00:31.000Z',
  })
  t.strictSame(
    lines.map(({ loglevel }) => loglevel),
    [6, 6, 6, 6, 7, 7, 4, 3, 4, 6],
    'in syslog’s numbers',
  )
})

t.test('as text they are lines, and gzip is the same in base64', async t => {
  const { call } = await methodsDevice(t)
  const plain = await call('GetModuleLogs', asking({ tail: 2 }, { contentType: 'text' }))
  const text =
    '2026-11-22T10:00:35.000Z warn  episode hubrec peer-reset (likely), over after 5.0 s: The connection was reset [e1]\n' +
    '2026-11-22T10:00:40.000Z info  log     all is well\n'
  t.strictSame(plain, { status: 200, payload: [{ id: 'hubrec', payloadBytes: null, payload: text }] })
  for (const words of [
    { encoding: 'gzip', contentType: 'text' },
    { encoding: 1, contentType: 1 },
    { encoding: 'GZIP', contentType: 'Text' },
  ]) {
    const { payload } = await call('GetModuleLogs', asking({ tail: 2 }, words))
    const [{ payloadBytes, payload: none } = { payloadBytes: '', payload: '' }] = payload as Logs
    t.equal(none, null)
    t.equal(gunzipSync(Buffer.from(payloadBytes ?? '', 'base64')).toString(), text)
  }
  t.strictSame(await call('GetModuleLogs', asking({ tail: 0 }, { contentType: 'text' })), {
    status: 200,
    payload: [{ id: 'hubrec', payloadBytes: null, payload: '' }],
  })
  t.strictSame(linesOf(await call('GetModuleLogs', asking({ tail: 0 }))), [])
})

t.test('first the window, then the tail, then the level, then the expression', async t => {
  const { call } = await methodsDevice(t)
  const texts = async (filter: object) => linesOf(await call('GetModuleLogs', asking(filter))).map(({ text }) => text)
  t.strictSame(await texts({ loglevel: 3 }), ['something failed: ERR 7'])
  t.strictSame(await texts({ tail: 1, loglevel: 3 }), [], 'the tail is cut before the level is looked at')
  t.strictSame(await texts({ tail: 3, loglevel: 3 }), ['something failed: ERR 7'])
  t.strictSame(await texts({ since: '31s', until: '30s', tail: 1 }), [
    'wire: closed by network (rst) at stage session (attempt 1)',
  ])
  t.strictSame(await texts({ since: '2026-11-22T10:00:40Z' }), ['all is well'])
  t.strictSame(await texts({ until: String(storyStartMs / 1e3) }), [
    'context: a segment begins',
    'start: hubrec started, {"pid":1}',
  ])
  t.strictSame(await texts({ regex: 'ERR' }), ['something failed: ERR 7'])
  t.strictSame(await texts({ regex: '^all|failed:\\s' }), ['something failed: ERR 7', 'all is well'])
  t.strictSame(await texts({ regex: '(?i)err' }), ['something failed: ERR 7'])
  t.strictSame(await texts({ regex: 'ERR', loglevel: 2 }), [])
  t.strictSame(
    await texts({ tail: null, since: null, until: null, loglevel: null, regex: null, unknown: 7 }).then(
      all => all.length,
    ),
    10,
  )
})

t.test('an id is an expression, several items are several answers, another module is none', async t => {
  const { call } = await methodsDevice(t)
  const ids = async (items: unknown) => {
    const { status, payload } = await call('GetModuleLogs', { schemaVersion: '1.0', items })
    return status === 200 ? (payload as Logs).map(({ id }) => id) : payload
  }
  for (const id of ['hubrec', 'HUBREC', 'hub', '^hub.*$', 'all', 'ALL', '.*', 'edge|hub'])
    t.strictSame(await ids({ id }), ['hubrec'], id)
  for (const id of ['edgeAgent', '^edge', 'hubrecs', 'rec$x']) t.strictSame(await ids({ id }), [], id)
  t.strictSame(await ids([{ id: 'all', filter: null }, { id: 'edgeHub' }, { id: 'hubrec', filter: { tail: 1 } }]), [
    'hubrec',
    'hubrec',
  ])
})

t.test('arguments that cannot be understood are 400, with all that is wrong and nothing that was sent', async t => {
  const { call } = await methodsDevice(t)
  const bad: readonly (readonly [method: string, payload: unknown, message: RegExp | string])[] = [
    ['GetModuleLogs', {}, 'schemaVersion: is missing; items: is missing'],
    ['GetModuleLogs', asking({}, { schemaVersion: '2.0' }), 'schemaVersion: expected "1.0" or another 1.x'],
    ['GetModuleLogs', asking({}, { schemaVersion: 1 }), 'schemaVersion: expected "1.0"'],
    ['GetModuleLogs', { schemaVersion: '1.0', items: [] }, 'items: expected at least one'],
    ['GetModuleLogs', { schemaVersion: '1.0', items: 'hubrec' }, 'items: expected an object, or an array of objects'],
    ['GetModuleLogs', { schemaVersion: '1.0', items: { filter: {} } }, 'items[0].id: is missing'],
    ['GetModuleLogs', { schemaVersion: '1.0', items: { id: '[' } }, 'items.id: expected a regular expression'],
    ['GetModuleLogs', asking({ regex: '(' }), 'items.filter.regex: expected a regular expression'],
    ['GetModuleLogs', asking({ tail: -1 }), 'items[0].filter.tail: expected a whole number from 0 to 2147483648'],
    ['GetModuleLogs', asking({ tail: 1.5 }), 'items[0].filter.tail: expected a whole number from 0 to 2147483648'],
    ['GetModuleLogs', asking({ tail: '5' }), /^items\[0\]\.filter\.tail: expected/],
    ['GetModuleLogs', asking({ loglevel: 8 }), 'items[0].filter.loglevel: expected a whole number from 0 to 7'],
    ['GetModuleLogs', asking({ loglevel: -1 }), /loglevel/],
    [
      'GetModuleLogs',
      asking({ since: 'yesterday', until: '1x' }),
      /^items\[0\]\.filter\.since: expected RFC 3339.*; items\[0\]\.filter\.until: /,
    ],
    ['GetModuleLogs', asking({ since: 5 }), /as a string/],
    ['GetModuleLogs', asking({ since: '1h', until: '2h' }), 'items[0].filter.since: expected a time before until'],
    [
      'GetModuleLogs',
      asking({}, { encoding: 'zip', contentType: 3 }),
      'encoding: expected one of none, gzip; contentType: expected one of json, text',
    ],
    ['GetModuleLogs', { schemaVersion: '1.0', items: Array(17).fill({ id: 'x' }) }, 'items: expected at most 16'],
    ['UploadSupportBundle', { schemaVersion: '2.0' }, 'schemaVersion: expected "1.0" or another 1.x'],
    ['UploadSupportBundle', { since: '1h', until: '2h' }, 'since: expected a time before until'],
    ['UploadSupportBundle', { sasUrl: 7 }, /^sasUrl: expected/],
    ['UploadSupportBundle', { types: 'log' }, 'types: expected an array'],
    ['UploadSupportBundle', { types: ['log', 'logs'] }, /^types\[1\]: expected one of wire, sample, log, /],
    ['UploadSupportBundle', { types: [] }, 'types: expected at least one'],
    ['UploadSupportBundle', { bytesMax: 1_000 }, 'bytesMax: expected a whole number from 1048576 to 2147483648'],
    ['UploadSupportBundle', { bytesMax: '2 MiB' }, /^bytesMax: expected a whole number/],
    ['GetTaskStatus', {}, 'schemaVersion: is missing; correlationId: is missing'],
    ['GetTaskStatus', { schemaVersion: '1.0', correlationId: '' }, /^correlationId/],
    ['GetEpisodes', { count: 0 }, 'count: expected a whole number from 1 to 10000'],
    ['GetEpisodes', { schemaVersion: '0.9' }, /schemaVersion/],
    ['GetStatus', { schemaVersion: 7 }, /schemaVersion/],
  ]
  for (const [method, payload, message] of bad) {
    t.match(
      await call(method, payload),
      { status: 400, payload: { message } },
      `${method} ${JSON.stringify(payload).slice(0, 80)}`,
    )
  }
})

t.test('what is no JSON object is 400 everywhere but in ping', async t => {
  const { raw, failures } = await methodsDevice(t)
  const bad = [
    '',
    'null',
    '[]',
    '7',
    '"text"',
    'true',
    '{',
    '{"a":}',
    "{'a':1}",
    '[[[[',
    '['.repeat(100_000),
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `{"schemaVersion":"1.0","items":${'{"id":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
    `{"schemaVersion":"1.0","items":${'['.repeat(50_000)}${']'.repeat(50_000)},"correlationId":{}}`,
    `{"x":"${'x'.repeat(300_000)}"}`,
    '\u0000',
    '\ufeff',
  ]
  const bytes = [
    ...bad.map(text => Buffer.from(text)),
    Buffer.from([0xff, 0xfe, 0x7b]),
    Buffer.from([0x7b, 0x22, 0xc3, 0x28]),
  ]
  for (const method of ['GetModuleLogs', 'GetTaskStatus']) {
    for (const payload of bytes) {
      t.match(
        await raw(method, payload),
        { status: 400, payload: { message: String } },
        `${method} ${payload.toString('latin1', 0, 30)}`,
      )
    }
  }
  const saysNothing = ['', 'null']
  for (const method of ['UploadSupportBundle', 'GetStatus', 'GetEpisodes']) {
    const mayBeEmpty = method !== 'UploadSupportBundle'
    for (const payload of bytes.filter(bytes => !bytes.toString().startsWith('{"schemaVersion"'))) {
      if (mayBeEmpty && saysNothing.includes(payload.toString())) {
        t.match(await raw(method, payload), { status: 200 }, `${method} takes a payload that says nothing`)
        continue
      }
      t.match(
        await raw(method, payload),
        { status: 400, payload: { message: String } },
        `${method} ${payload.toString('latin1', 0, 30)}`,
      )
    }
  }
  t.strictSame(failures, [])
})

t.test('an expression that never ends costs two seconds, and only the caller', async t => {
  const lines = Array.from(
    { length: 50 },
    (_, n): Line => ({ atS: n, type: 'log', data: { msg: `${'a'.repeat(60)}!` }, conn: null }),
  )
  const { call } = await methodsDevice(t, { lines })
  t.match(await call('GetModuleLogs', asking({ regex: '^b+$' })), { status: 200 }, 'the thread is loaded')
  let ticks = 0
  const timer = setInterval(() => ticks++, 20)
  const startedMs = performance.now()
  const [evil, logs] = await Promise.all([
    call('GetModuleLogs', asking({ regex: '^(a+)+$' })),
    call('GetModuleLogs', asking({ tail: 1 })),
  ])
  clearInterval(timer)
  const tookMs = performance.now() - startedMs
  t.strictSame(evil, {
    status: 400,
    payload: { message: 'items.filter.regex: the regular expression took longer than 2000 ms' },
  })
  t.equal(logs.status, 200, 'others are answered meanwhile')
  t.ok(tookMs > 1_900 && tookMs < 60_000, `${Math.round(tookMs)} ms`)
  t.ok(ticks > 20, `${ticks} ticks of the loop`)
  t.match(await call('GetModuleLogs', asking({ regex: 'a{5}' })), { status: 200 }, 'a new thread serves the next')
})

t.test('an answer that IoT Hub would not take is refused with what to do', async t => {
  const noise = (n: number) =>
    Array.from({ length: 40 }, (_, k) => ((n * 7919 + k * 104_729) % 999_983).toString(36)).join(' ')
  const lines = Array.from(
    { length: 4_000 },
    (_, n): Line => ({ atS: n / 1e3, type: 'log', data: { msg: noise(n) }, conn: null }),
  )
  const { call } = await methodsDevice(t, { lines })
  const message = /^the answer would be over 127000 bytes; narrow it .* or use UploadModuleLogs$/
  t.match(await call('GetModuleLogs', asking()), { status: 400, payload: { message } })
  t.match(await call('GetModuleLogs', asking({ tail: 3_500 })), { status: 400, payload: { message } })
  t.match(await call('GetModuleLogs', asking({}, { encoding: 'gzip' })), { status: 400, payload: { message } })
  const fits = await call('GetModuleLogs', asking({ tail: 250 }))
  t.equal(linesOf(fits).length, 250)
  t.ok(JSON.stringify(fits.payload).length < 127_000)
  const zipped = await call('GetModuleLogs', asking({ tail: 400 }, { encoding: 'gzip' }))
  t.equal(zipped.status, 200, 'more fits when it is compressed')
})

t.test('the newest episodes come last, as many as an answer holds', async t => {
  const lines = Array.from({ length: 400 }, (_, n): Line => ({ atS: n, type: 'episode', data: episodeOf(`e${n}`, n) }))
  const { call } = await methodsDevice(t, { lines, nowMs: () => storyStartMs + 400_000 })
  const ids = async (payload: object) => {
    const answer = await call('GetEpisodes', payload)
    return {
      ids: (answer.payload as { id: string }[]).map(({ id }) => id),
      bytes: JSON.stringify(answer.payload).length,
    }
  }
  t.match(await ids({}), { ids: Array.from({ length: 20 }, (_, n) => `e${380 + n}`) })
  t.match(await ids({ count: 2, since: '10s', until: '5s' }), { ids: ['e394', 'e395'] })
  t.match(await ids({ since: '2s' }), {
    ids: ['e393', 'e394', 'e395', 'e396', 'e397', 'e398', 'e399'],
  })
  const many = await ids({ count: 10_000 })
  t.ok(many.bytes < 127_000 && many.bytes > 120_000, `${many.bytes} bytes`)
  t.equal(many.ids.at(-1), 'e399')
})

t.test('GetEpisodes prints what the command prints', async t => {
  const { call, outboxDir } = await methodsDevice(t)
  t.strictSame(await call('GetEpisodes'), {
    status: 200,
    payload: await readEpisodes(join(outboxDir, '..', 'ring')),
  })
})

t.test('an upload is answered at once, is one at a time, and says how it goes', async t => {
  const { call, failNext } = await methodsDevice(t)
  const { status, payload } = await call('UploadSupportBundle', { schemaVersion: '1.0', since: '2d', sasUrl })
  const { correlationId } = payload as { correlationId: string }
  t.strictSame({ status, payload }, { status: 200, payload: { status: 'Running', message: '', correlationId } })
  t.match(correlationId, /^[0-9a-f-]{36}$/)
  t.strictSame(await call('UploadSupportBundle', {}), {
    status: 429,
    payload: { message: `an upload is under way: ask GetTaskStatus for ${correlationId}` },
  })
  const task = await call('GetTaskStatus', { schemaVersion: '1.0', correlationId })
  t.match(task, { status: 200, payload: { correlationId, bytesDone: null, bytesTotal: null, blobName: null } })
  await failNext()
  t.match(await call('GetTaskStatus', { schemaVersion: '1.0', correlationId }), {
    payload: { status: 'Failed', message: 'the file could not be made: the disk is full' },
  })
  t.match(await call('uploadSupportBundle', {}), { status: 200 }, 'and then there is room for the next')
})

t.test('logs alone are uploaded like a bundle, and only what means this module', async t => {
  const { call, failNext } = await methodsDevice(t)
  const nothing = await call('UploadModuleLogs', { ...asking(), items: { id: 'edgeHub' }, sasUrl })
  const done = nothing.payload as { correlationId: string }
  t.strictSame(nothing, {
    status: 200,
    payload: { status: 'Completed', message: 'no id matches hubrec', correlationId: done.correlationId },
  })
  t.match(await call('GetTaskStatus', { schemaVersion: '1.0', correlationId: done.correlationId }), {
    payload: { status: 'Completed', message: 'no id matches hubrec' },
  })
  const { status, payload } = await call('uploadModuleLogs', { ...asking(), encoding: 'gzip', sasUrl })
  const { correlationId } = payload as { correlationId: string }
  t.strictSame({ status, payload }, { status: 200, payload: { status: 'Running', message: '', correlationId } })
  t.equal((await call('UploadModuleLogs', asking())).status, 429)
  await failNext()
  t.match(await call('UploadModuleLogs', { ...asking({ regex: '(' }), sasUrl }), {
    status: 400,
    payload: { message: /^items\.filter\.regex: / },
  })
  t.match(await call('UploadModuleLogs', { ...asking({ tail: -1 }), sasUrl: 7 }), {
    status: 400,
    payload: { message: /items\[0\]\.filter\.tail: .*sasUrl: expected the URL of a container/s },
  })
})

t.test('a task that is cancelled has ended, and makes room for the next', async t => {
  const { call } = await methodsDevice(t)
  const { payload } = await call('UploadSupportBundle', { sasUrl })
  const { correlationId } = payload as { correlationId: string }
  const asked = { schemaVersion: '1.0', correlationId }
  const cancelled = {
    status: 200,
    payload: {
      correlationId,
      status: 'Cancelled',
      message: 'cancelled',
      bytesDone: null,
      bytesTotal: null,
      blobName: null,
    },
  }
  t.strictSame(await call('CancelTask', asked), cancelled)
  t.strictSame(await call('cancelTask', asked), cancelled, 'once more changes nothing')
  t.strictSame(await call('GetTaskStatus', asked), cancelled)
  t.equal((await call('UploadSupportBundle', { sasUrl })).status, 200)
  t.match(await call('CancelTask', { ...asked, correlationId: 'nobody' }), {
    status: 200,
    payload: { status: 'Unknown' },
  })
})

t.test('of many requests at once one is accepted', async t => {
  const { call } = await methodsDevice(t)
  const answers = await Promise.all(Array.from({ length: 20 }, () => call('UploadSupportBundle', { sasUrl })))
  const statuses = answers.map(({ status }) => status).sort()
  t.strictSame(statuses, [200, ...Array(19).fill(429)])
})

t.test('ten a minute are accepted, and what is refused does not count', async t => {
  let ms = nowMs
  const { call, failNext } = await methodsDevice(t, { nowMs: () => ms })
  const accepted = async (): Promise<number> => {
    const { status } = await call('UploadSupportBundle', { sasUrl })
    if (status === 200) await failNext()
    return status
  }
  for (let n = 0; n < 30; n++)
    t.equal((await call('UploadSupportBundle', { sasUrl: 'https://evil.example/c?sig=1' })).status, 400)
  for (let n = 0; n < 10; n++) t.equal(await accepted(), 200)
  t.equal(await accepted(), 429)
  ms += 59_999
  t.equal(await accepted(), 429)
  ms += 1
  t.equal(await accepted(), 200)
})

t.test('a module is told to give a sasUrl', async t => {
  const { call } = await methodsDevice(t, {
    device: { hub: 'my-hub.azure-devices.net', deviceId: 'gate', moduleId: 'recorder' },
  })
  t.match(await call('UploadSupportBundle', { schemaVersion: '1.0' }), {
    status: 400,
    payload: { message: 'sasUrl: is missing; IoT Hub gives file upload to devices, and this identity is a module' },
  })
  t.match(await call('UploadSupportBundle', { sasUrl }), { status: 200 })
})

t.test('a disk that takes no task is an error of ours, with its reason', async t => {
  const { call, outboxDir } = await methodsDevice(t)
  await rm(outboxDir, { recursive: true })
  await writeFile(outboxDir, 'in the way')
  t.match(await call('UploadSupportBundle', { sasUrl }), {
    status: 500,
    payload: { message: /^the task could not be written down: (EEXIST|ENOTDIR)$/ },
  })
})

t.test('a failure of our own is 500, and told to the log', async t => {
  const { call, failures } = await methodsDevice(t, { status: () => Promise.reject(new Error('inside')) })
  t.strictSame(await call('GetStatus'), {
    status: 500,
    payload: { message: 'this failed inside hubrec; its own log says why' },
  })
  t.match(failures, [{ method: 'GetStatus', error: { message: 'inside' } }])
})

t.test('a ring that is not there is no crash', async t => {
  const { call } = await methodsDevice(t, { ringDir: '/nowhere/at/all' })
  t.match(await call('GetModuleLogs', asking()), { status: 500 })
  t.match(await call('GetEpisodes'), { status: 500 })
})

t.test('a task that nobody knows is 200 and Unknown, and only an id is repeated', async t => {
  const { call } = await methodsDevice(t)
  const status = async (correlationId: string) =>
    (await call('GetTaskStatus', { schemaVersion: '1.0', correlationId })).payload
  const unknown = {
    status: 'Unknown',
    message: 'this device knows no such task',
    bytesDone: null,
    bytesTotal: null,
    blobName: null,
  }
  t.strictSame(await status('0f8fad5b-d9cb-469f-a165-70867728950e'), {
    ...unknown,
    correlationId: '0f8fad5b-d9cb-469f-a165-70867728950e',
  })
  t.strictSame(await status(sasUrl.slice(0, 200)), { ...unknown, correlationId: '' })
})

t.test('no answer holds a secret', async t => {
  const key = 'kR3t+9/aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w='
  const lines: Line[] = [
    { atS: 1, type: 'log', data: { msg: `the key ${key} and ${encodeURIComponent(key)}` }, conn: null },
    { atS: 2, type: 'episode', data: episodeOf('e', 2, { sdkSaid: { name: 'Error', message: key } }) },
  ]
  const secrets = createSecrets()
  const { call } = await methodsDevice(t, { lines, redactor: createRedactor(secrets), status: async () => ({ key }) })
  // Known only after the records were written.
  secrets.add('shared-access-key', key)
  for (const [name, payload] of [
    ['GetModuleLogs', asking()],
    ['GetModuleLogs', asking({}, { contentType: 'text' })],
    ['GetEpisodes', {}],
    ['GetStatus', {}],
  ] as const) {
    const { status, payload: answer } = await call(name, payload)
    t.equal(status, 200)
    t.notMatch(JSON.stringify(answer), key.slice(0, 12), name)
    t.match(JSON.stringify(answer), '[removed:shared-access-key]')
  }
  const { payload } = await call('GetModuleLogs', asking({}, { encoding: 'gzip' }))
  const text = gunzipSync(Buffer.from((payload as Logs)[0]?.payloadBytes ?? '', 'base64')).toString()
  t.notMatch(text, key.slice(0, 12))
})

t.test(
  'an allowed name that leads inside the network is refused, one that does not resolve is tried later',
  async t => {
    const inside = await methodsDevice(t, {
      lookup: (_host, callback) => callback(null, [{ address: '10.0.0.7', family: 4 }]),
    })
    t.match(await inside.call('UploadSupportBundle', { sasUrl }), {
      status: 400,
      payload: { message: 'sasUrl: its host has an address that this device does not upload to' },
    })
    const offline = await methodsDevice(t, { lookup: (_host, callback) => callback(new Error('SERVFAIL'), []) })
    t.match(await offline.call('UploadSupportBundle', { sasUrl }), { status: 200 })
  },
)
