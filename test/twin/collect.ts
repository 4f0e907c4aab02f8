/** A bundle that the twin asks for: once for each id, whatever restarts and crashes come between, answered and without its secrets. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { contextOf } from '../../agent/methods/methods.js'
import { createRedactor } from '../../agent/redact.js'
import { createCollect } from '../../agent/twin/collect.js'
import { openOutbox } from '../../agent/upload/outbox.js'
import { createUploader } from '../../agent/upload/uploader.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'

const container = 'https://account.blob.core.windows.net/bundles'
const signature = 'c2VjcmV0LXNpZ25hdHVyZS1vZi1hLXRlc3Q='
const sasUrl = `${container}?sv=2024-11-04&sp=cw&sig=${encodeURIComponent(signature)}`

/** A daemon's run over a state directory: nothing is made or sent in it. */
async function run(t: Test, dir = t.testdir(), moduleId: string | null = null) {
  const secrets = createSecrets()
  const redactor = createRedactor(secrets)
  const outbox = await openOutbox({ dir: join(dir, 'outbox'), secrets, warn: message => t.comment(message) })
  const warned: string[] = []
  let laters = 0
  const uploader = createUploader({
    outbox,
    make: () => new Promise(() => undefined),
    link: { target: () => new Promise(() => undefined), notify: async () => undefined },
    allowed: { containers: [container], privateHosts: [] },
    storage: { trust: createTrust(null, null) },
    secrets,
    onStep: () => undefined,
  })
  const context = contextOf({
    device: { hub: 'my-hub.azure-devices.net', deviceId: 'gate', moduleId },
    ringDir: join(dir, 'ring'),
    redactor,
    uploader,
    outbox,
    allowed: { containers: [container], privateHosts: [] },
    status: async () => null,
    doctor: async () => null,
    onFailure: () => undefined,
    nowMs: () => Date.parse('2026-11-27T10:00:00Z'),
    lookup: (_host, callback) => callback(null, [{ address: '20.60.1.1', family: 4 }]),
  })
  const collect = createCollect({
    path: join(dir, 'collect.json'),
    context,
    outbox,
    later: () => {
      laters += 1
    },
    text: text => redactor.text(text),
    warn: message => void warned.push(message),
  })
  const done = (status: 'Completed' | 'Failed', message = '') =>
    outbox.update(outbox.tasks().at(-1)!.correlationId, { phase: 'done', status, message, sasUrl: null })
  return { dir, outbox, warned, take: collect.take, answers: collect.answers, done, laters: () => laters }
}

type Run = Awaited<ReturnType<typeof run>>
const ids = ({ outbox }: Run): string[] => outbox.tasks().map(({ correlationId }) => correlationId)

t.test('it is taken on once, followed, and done', async t => {
  const device = await run(t)
  await device.take({ id: 'case-1', since: '2h' }, 4)
  const [correlationId = ''] = ids(device)
  t.match(device.outbox.tasks(), [
    {
      request: {
        window: { since: Date.parse('2026-11-27T08:00:00Z'), until: Date.parse('2026-11-27T10:00:00Z') },
        requestedBy: 'desired property collect',
        why: 'asked for as case-1',
        trigger: 'collect:case-1',
      },
    },
  ])
  t.strictSame(device.answers(), {
    collect: { value: { id: 'case-1' }, ac: 202, av: 4, ad: 'NotStarted' },
    collected: { id: 'case-1', correlationId, status: 'NotStarted' },
  })
  await device.take({ id: 'case-1', since: '1h' }, 5)
  t.equal(ids(device).length, 1, 'its id says that it is the same')
  await device.done('Completed')
  t.strictSame(device.answers(), {
    collect: { value: { id: 'case-1' }, ac: 200, av: 4, ad: 'Completed' },
    collected: { id: 'case-1', correlationId, status: 'Completed' },
  })
  await device.take({ id: 'case-2' }, 6)
  t.equal(ids(device).length, 2)
  await device.done('Failed', 'the storage said no')
  t.match(device.answers(), { collect: { value: { id: 'case-2' }, ac: 500, av: 6, ad: 'Failed: the storage said no' } })
  await device.take(undefined, 7)
  t.strictSame(device.answers(), {}, 'nothing is asked for')
})

t.test('neither a restart nor a crash at any moment makes a second one', async t => {
  const first = await run(t)
  await first.take({ id: 'case-1' }, 4)
  const second = await run(t, first.dir)
  await second.take({ id: 'case-1' }, 9)
  t.strictSame(ids(second), ids(first))
  t.match(second.answers(), { collect: { ac: 202, av: 4 } })

  rmSync(join(first.dir, 'collect.json'))
  const crashed = await run(t, first.dir)
  await crashed.take({ id: 'case-1' }, 9)
  t.strictSame(ids(crashed), ids(first), 'the task itself knows what it is for')
  await crashed.done('Completed')
  t.match(crashed.answers(), { collect: { ac: 200 } })
  await crashed.take({ id: 'case-1' }, 9)

  rmSync(join(first.dir, 'outbox'), { recursive: true })
  const forgotten = await run(t, first.dir)
  await forgotten.take({ id: 'case-1' }, 10)
  t.strictSame(ids(forgotten), [], 'also when the task was forgotten long ago')
  t.match(forgotten.answers(), { collect: { ac: 200, ad: 'Completed' }, collected: { status: 'Completed' } })
})

t.test('what cannot be had is answered, whole and without its secrets', async t => {
  const device = await run(t)
  const refusals: [unknown, unknown][] = []
  for (const asked of [
    { id: 'a b', since: 'soon', until: 7 },
    'case-1',
    { id: 'x', sasUrl: `https://evil.example/c?sig=${encodeURIComponent(signature)}` },
    { id: 'y', since: '1h', until: '2h' },
    { id: 'z', around: 'mark-00000000' },
  ]) {
    await device.take(asked, 3)
    const { collect } = device.answers() as { collect: { value?: unknown; ac: number; ad: string } }
    refusals.push([collect.value, `${collect.ac} ${collect.ad}`])
  }
  t.match(refusals, [
    [undefined, /^400 id: expected 1 to 64 letters.*until: expected/],
    [undefined, /^400 expected an object/],
    [{ id: 'x' }, /^400 sasUrl: .*upload\.allowedContainers/],
    [{ id: 'y' }, /^400 since: expected a time before until/],
    [{ id: 'z' }, /^[45]0\d/],
  ])
  t.notOk(JSON.stringify(refusals).includes('c2VjcmV0'))
  t.strictSame(ids(device), [])

  const module = await run(t, t.testdir({ other: {} }), 'hubrec')
  await module.take({ id: 'case-1' }, 3)
  t.match(module.answers(), { collect: { ac: 400, ad: /this identity is a module/ } })
})

t.test('a sasUrl goes to the task alone', async t => {
  const device = await run(t)
  await device.take({ id: 'case-1', sasUrl }, 3)
  t.match(device.outbox.tasks(), [{ sasUrl }])
  t.notOk(JSON.stringify(device.answers()).includes('sig='))
  await device.done('Failed', `no luck with ${sasUrl}`)
  t.notOk(JSON.stringify(device.answers()).includes('c2VjcmV0'), 'also where the failure repeats it')
})

t.test('a device that is busy is asked again', async t => {
  const device = await run(t)
  await device.take({ id: 'case-1' }, 3)
  await device.take({ id: 'case-2' }, 4)
  t.match(device.answers(), { collect: { value: { id: 'case-2' }, ac: 429, av: 4 } })
  t.equal(device.laters(), 1)
  await device.done('Completed')
  await device.take({ id: 'case-2' }, 4)
  t.match(device.answers(), { collect: { value: { id: 'case-2' }, ac: 202, av: 4 } })
})

t.test('a file that is no good is as good as none, and said', async t => {
  const dir = t.testdir({ 'collect.json': '{"version":1,"collected":[{}]}' })
  const device = await run(t, dir)
  t.match(device.warned, [/collect\.json cannot be read/])
  writeFileSync(join(dir, 'collect.json'), '')
  await device.take({ id: 'case-1' }, 1)
  t.equal(ids(device).length, 1)
})
