/** When the way to the hub is asked, and what comes of the answers: with a clock that stands until it is set. */
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ProbeAnswer } from '../agent/evidence/probe-answer.js'
import { probesIn } from '../agent/evidence/probed.js'
import { openLastGood } from '../agent/last-good.js'
import { createPipeline } from '../agent/pipeline.js'
import { createSystemLookup } from '../agent/probes/names.js'
import { NotAsked, type Probe } from '../agent/probes/probe.js'
import { runProbes } from '../agent/probes/run.js'
import { createProbing } from '../agent/probing.js'
import { createRedactor } from '../agent/redact.js'
import type { RingWriter } from '../agent/ring/ring.js'
import { createSecrets } from '../transports/secrets.js'
import type { WireEvent } from '../transports/wire-event.js'
import { closed } from './support/evidence.js'
import { nothingSet, nowhere } from './support/probing.js'

const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 } as const
const connecting: WireEvent = { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false }
const accepted: WireEvent = { ...head, type: 'accepted', sessionPresent: false, ms: 1 }
const failed = closed('dns', { by: 'network', how: 'error' })
const lost = closed('session', { by: 'unknown', how: 'rst' })

const answer: ProbeAnswer = { probe: 'control', askedMs: 1, tookMs: 2, error: null, host: 'control', port: 443 }

/** Runs until the test ends. `asked` holds what each run had heard, `told` what came of it. */
async function scene(t: Test, run: (signal: AbortSignal) => Promise<readonly ProbeAnswer[]> = async () => [answer]) {
  let atMs = 0
  const stop = new AbortController()
  const asked: unknown[] = []
  const told: (readonly ProbeAnswer[])[] = []
  let isKnown = true
  const file = join(t.testdir(), 'addresses.json')
  const lastGood = await openLastGood(file, (_, error) => {
    throw error
  })
  const probing = createProbing({
    clock: { bootId: 'boot', now: () => ({ wallMs: atMs, monoMs: atMs, bootMs: atMs }) },
    lastGood,
    isProxied: protocol => protocol.endsWith('-ws'),
    run: (heard, signal) => {
      if (!isKnown) return null
      asked.push(heard)
      return run(signal)
    },
    told: answers => told.push(answers),
  })
  const running = probing.part.run(stop.signal).catch(() => undefined)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return {
    asked,
    told,
    probing,
    lastGood,
    file,
    at: (ms: number) => {
      atMs = ms
    },
    know: (known: boolean) => {
      isKnown = known
    },
    async hear(...events: WireEvent[]) {
      for (const event of events) {
        probing.heard(event)
        // What a part does after an event takes a few turns, and no time.
        for (let turns = 0; turns < 4; turns++) await turn()
      }
    },
  }
}

const minuteMs = 60_000

t.test('the second failed attempt of an outage is asked about, and no other one', async t => {
  const { hear, asked, told } = await scene(t)
  await hear(connecting, failed)
  t.equal(asked.length, 0)
  await hear(connecting, failed)
  t.strictSame(told, [[answer]])
  await hear(connecting, failed, connecting, failed)
  t.equal(asked.length, 1)
  t.match(asked[0], { dialled: { host: 'hub', port: 8883 }, isNameLost: true, addresses: null, tcp: [] })
})

t.test('the next outage is asked about too, but not within five minutes: then at a later attempt', async t => {
  const { hear, asked, at } = await scene(t)
  await hear(connecting, failed, connecting, failed, connecting, accepted, lost)
  at(4 * minuteMs)
  await hear(connecting, failed, connecting, failed)
  t.equal(asked.length, 1)
  at(5 * minuteMs)
  await hear(connecting, failed)
  t.equal(asked.length, 2)
  at(20 * minuteMs)
  await hear(connecting, failed)
  t.equal(asked.length, 2, 'once in an outage')
})

t.test('one failure between two sessions is no matter', async t => {
  const { hear, asked } = await scene(t)
  for (let times = 0; times < 3; times++) await hear(connecting, failed, connecting, accepted, lost)
  t.equal(asked.length, 0)
})

t.test('when the hub is back, nobody waits for answers any more', async t => {
  let signal: AbortSignal | null = null
  const { hear, told } = await scene(t, async given => {
    signal = given
    await once(given, 'abort')
    return [answer]
  })
  await hear(connecting, failed, connecting, failed)
  t.match(signal, { aborted: false })
  await hear(connecting, accepted)
  t.match(signal, { aborted: true })
  t.strictSame(told, [])
})

t.test(
  'as long as it is not known whom to ask, the question is left for later; a restart does not ask again',
  async t => {
    const { hear, asked, know, probing } = await scene(t)
    know(false)
    await hear(connecting, failed, connecting, failed)
    know(true)
    await hear(connecting, failed)
    t.equal(asked.length, 1)
    const next = await scene(t)
    next.probing.askedBefore()
    await next.hear(connecting, failed, connecting, failed)
    t.equal(next.asked.length, 0)
    t.ok(probing.part)
  },
)

t.test('where a session was accepted is kept over a restart, and written only when it is new', async t => {
  const { hear, lastGood, file } = await scene(t)
  const at = (address: string): WireEvent => ({
    ...head,
    type: 'tcpConnected',
    address,
    localAddress: '10.0.0.7',
    ms: 1,
  })
  await hear(connecting, at('20.0.0.1'), failed)
  t.strictSame(lastGood.of('hub'), [], 'a connection is no session')
  await hear(connecting, at('20.0.0.1'), accepted, lost)
  await hear({ ...connecting, protocol: 'mqtt-ws' }, { ...at('10.0.0.3'), protocol: 'mqtt-ws' }, accepted, lost)
  t.strictSame(lastGood.of('hub'), ['20.0.0.1'], "a proxy's address is not the hub's")
  await lastGood.keep('hub', '20.0.0.2')
  await lastGood.keep('hub', '20.0.0.1')
  t.strictSame(lastGood.of('hub'), ['20.0.0.1', '20.0.0.2'])
  t.strictSame(JSON.parse(await readFile(file, 'utf8')), { host: 'hub', addresses: ['20.0.0.2', '20.0.0.1'] })

  const again = await openLastGood(file, () => t.fail('nothing to warn of'))
  t.strictSame(again.of('hub'), ['20.0.0.2', '20.0.0.1'])
  t.strictSame(again.of('other'), [])
  for (const bad of ['', '{', 'null', '[]', '{"host":"hub"}', '{"host":"hub","addresses":["rm -rf",7]}']) {
    await writeFile(file, bad)
    t.strictSame((await openLastGood(file, () => t.fail('nothing to warn of'))).of('hub'), [])
  }
})

t.test('answers are recorded as a sample, read back from it, and judge the outage anew', async t => {
  const instant = () => ({ wallMs: Date.UTC(2026, 10, 26, 10), monoMs: 0, bootMs: 0 })
  const written: { type: string; conn: string | null; data: Record<string, unknown> }[] = []
  const append: RingWriter['append'] = async json => written.push(JSON.parse(json))
  const pipeline = createPipeline({
    ring: { append } as RingWriter,
    redactor: createRedactor(createSecrets()),
    clock: { bootId: 'boot', now: instant },
    synchronised: () => true,
    // In place of rules that look at probes: whether they are told of them.
    judge: (facts, { probes }) => ({
      ...facts,
      planned: false,
      verdict: {
        title: '',
        hubCodes: [],
        nextSteps: [],
        docs: [],
        runnersUp: [],
        cause: `${probes.length} answers`,
        confidence: 'possible',
        evidence: probes.map(({ probe }) => probe),
      },
    }),
  })
  const before = { ending: { kind: 'start' }, at: instant(), session: null, open: null } as const
  const remembered = { protocol: 'mqtt', credential: 'f00d', credentialWorked: true, history: [] } as const
  pipeline.follow({ conn: 'hubrec', ...remembered, before })
  pipeline.follow({ conn: 'app', ...remembered, before })
  for (const conn of ['hubrec', 'app']) {
    pipeline.wire(conn, connecting, 1)
    pipeline.wire(conn, failed, 1)
  }
  const verdicts = () =>
    written.flatMap(({ type, conn, data }) =>
      type === 'episode' ? [`${conn} ${data.state} ${(data.verdict as { cause: string }).cause}`] : [],
    )
  written.length = 0
  pipeline.probed('hubrec', [answer])
  t.strictSame(
    written.filter(({ type }) => type === 'sample').map(({ conn, data }) => [conn, probesIn(data)]),
    [['hubrec', [answer]]],
  )
  t.strictSame(verdicts(), ['hubrec open 1 answers'])
  t.strictSame(pipeline.state('hubrec')?.episode?.verdict.evidence, ['control'])

  written.length = 0
  pipeline.probed('hubrec', [answer], true)
  t.strictSame(verdicts(), ['hubrec open 2 answers'], 'and those of before a restart, which are not written again')
  t.equal(written.length, 1)

  written.length = 0
  for (const event of [connecting, accepted, lost]) pipeline.wire('hubrec', event, 1)
  t.strictSame(verdicts(), ['hubrec closed 2 answers', 'hubrec open 0 answers'], 'the next outage has none yet')
})

t.test('what is no record of probes has none, and an answer of another release is left out', async t => {
  t.equal(probesIn({ interfaces: {} }), null)
  t.equal(probesIn(null), null)
  t.equal(probesIn({ probes: 'many' }), null)
  const odd = [{ probe: 'tea', askedMs: 1 }, { ...answer, port: 'https' }, null]
  t.strictSame(probesIn({ probes: [...odd, answer] }), [answer])
  const from = { name: 'Error', message: 'inner' }
  const failing = { ...answer, error: { name: 'Error', message: 'outer', code: 'E', errors: [from], from } }
  t.strictSame(probesIn(JSON.parse(JSON.stringify({ probes: [failing] }))), [failing])
})

t.test('all probes together have a limit, within which those that are ready are heard', async t => {
  const ready: Probe = { name: 'control', run: async (_, tell) => tell(answer) }
  const never: Probe = { name: 'portal', run: () => new Promise(() => undefined) }
  const broken: Probe = { name: 'tls', run: async () => Promise.reject(new Error('a mistake')) }
  const mistakes: string[] = []
  const options = {
    target: nowhere,
    settings: nothingSet,
    probes: [never, broken, ready],
    wholeLimitMs: 50,
    onMistake: (probe: string) => mistakes.push(probe),
  }
  t.strictSame(await runProbes({ ...options, signal: new AbortController().signal }), [answer])
  t.strictSame(mistakes, ['tls'])
  const stop = new AbortController()
  const stopped = runProbes({ ...options, wholeLimitMs: minuteMs, signal: stop.signal })
  stop.abort(new Error('enough'))
  await t.rejects(stopped, { message: 'enough' })
})

t.test("the host's own library has one question at a time, because each that hangs holds a thread", async t => {
  const asked: string[] = []
  const waiting = new Map<string, (addresses: readonly string[]) => void>()
  const lookup = createSystemLookup(name => {
    asked.push(name)
    return new Promise(resolve => waiting.set(name, resolve))
  })
  const patient = new AbortController().signal
  const impatient = new AbortController()
  const [one, same, other] = [lookup('a', patient), lookup('a', patient), lookup('b', patient)]
  const never = lookup('c', impatient.signal)
  impatient.abort()
  await t.rejects(never, NotAsked)
  t.strictSame(asked, ['a'])
  waiting.get('a')?.(['10.0.0.1'])
  t.strictSame(await Promise.all([one, same]), [['10.0.0.1'], ['10.0.0.1']])
  for (let turns = 0; turns < 4; turns++) await turn()
  t.strictSame(asked, ['a', 'b'])
  waiting.get('b')?.(['10.0.0.2'])
  t.strictSame(await other, ['10.0.0.2'])
})
