/** Whatever a protocol says, and however often: one end is told, with what was known at that moment, and nothing after it. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Attempt, type AttemptOptions, startAttempt } from '../../transports/attempt.js'
import { systemClock } from '../../transports/clock.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import type { ClosedEvent, OurReason, WireEvent } from '../../transports/wire-event.js'
import { type Door, startHub } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0
const freshDoor = (): Promise<Door> => hub.addDevice(`gateway-${++devices}`)

type Scene = Readonly<{ attempt: Attempt; told: WireEvent[]; ready: Promise<void>; over: Promise<void> }>

function begin(
  port: number,
  {
    acceptMs = 5_000,
    reason = null,
    ...more
  }: Partial<AttemptOptions> & { acceptMs?: number; reason?: OurReason | null } = {},
): Scene {
  const told: WireEvent[] = []
  let isReady = (): void => undefined
  let isOver = (): void => undefined
  const ready = new Promise<void>(resolve => {
    isReady = resolve
  })
  const over = new Promise<void>(resolve => {
    isOver = resolve
  })
  const attempt = startAttempt({
    protocol: 'mqtt',
    wiring: {
      host: '127.0.0.1',
      port,
      gateway: false,
      trust: createTrust(hub.ca, null),
      clock: systemClock(),
      secrets: createSecrets(),
      timeoutsMs: { dns: 5_000, tcp: 5_000, tls: 5_000, accept: acceptMs },
      keepaliveSeconds: 60,
    },
    listener: {
      event: event => {
        told.push(event)
        if (event.type === 'closed' || event.type === 'refused') isOver()
      },
      method: () => undefined,
      nextAttempt: () => 1,
    },
    ourReason: () => reason,
    account: () => ({ pingUnansweredMs: null, inFlightPublishes: 0, afterPublish: false }),
    ready: isReady,
    ...more,
  })
  return { attempt, told, ready, over }
}

/** What comes late comes within some turns of the event loop. */
async function endOf({ told, over }: Scene): Promise<object> {
  await over
  await sleep(20)
  t.strictSame(breaches(told), [])
  const { by, how, stage, reason, error } = told.at(-1) as ClosedEvent
  return { by, how, stage, reason, error }
}

t.test('a protocol that says nothing has its time for an answer, and no more', async t => {
  const scene = begin((await freshDoor()).port, { acceptMs: 100 })
  t.strictSame(await endOf(scene), { by: 'us', how: 'timeout', stage: 'auth', reason: 'slow', error: null })
})

t.test('each expected answer has that time anew, also in a session', async t => {
  const scene = begin((await freshDoor()).port, { acceptMs: 100 })
  await scene.ready
  scene.attempt.accepted(null)
  await sleep(150)
  t.equal(scene.attempt.isOver, false, 'a session waits for nothing')
  scene.attempt.expectAnswer()
  scene.attempt.answered()
  await sleep(150)
  t.equal(scene.attempt.isOver, false)
  scene.attempt.expectAnswer()
  t.strictSame(await endOf(scene), { by: 'us', how: 'timeout', stage: 'session', reason: 'slow', error: null })
})

t.test('a session that is given up for its silence says so', async t => {
  const scene = begin((await freshDoor()).port)
  await scene.ready
  scene.attempt.accepted(true)
  scene.attempt.destroy('timeout')
  t.strictSame(await endOf(scene), { by: 'us', how: 'timeout', stage: 'session', reason: 'silence', error: null })
})

t.test('what the protocol knows of an end wins over what the socket sees of it', async t => {
  const door = await freshDoor()
  const scene = begin(door.port)
  await scene.ready
  scene.attempt.accepted(null)
  const error = { name: 'AmqpError', message: 'for an upgrade', code: 'amqp:connection:forced' }
  scene.attempt.know({ by: 'hub', how: 'goodbye', error })
  door.cut('rst')
  t.strictSame(await endOf(scene), { by: 'hub', how: 'goodbye', stage: 'session', reason: null, error })
})

t.test('our goodbye has our reason, whatever the other side does with its socket', async t => {
  for (const how of ['fin', 'rst'] as const) {
    const door = await freshDoor()
    const scene = begin(door.port, { reason: 'shutdown' })
    await scene.ready
    scene.attempt.accepted(null)
    scene.attempt.know({ by: 'us', how: 'goodbye', error: null })
    door.cut(how)
    t.strictSame(await endOf(scene), { by: 'us', how: 'goodbye', stage: 'session', reason: 'shutdown', error: null })
  }
})

t.test('after the end nothing is told, and no timer strikes', async t => {
  const scene = begin((await freshDoor()).port)
  await scene.ready
  scene.attempt.accepted(null)
  scene.attempt.accepted(null)
  scene.attempt.after(30, () => t.fail('a timer of an attempt that is over'))
  scene.attempt.destroy('goodbye')
  scene.attempt.destroy('timeout')
  scene.attempt.refused('connack', 5, 'too late')
  scene.attempt.accepted(null)
  scene.attempt.expectAnswer()
  scene.attempt.after(1, () => t.fail('a timer that was set after the end'))
  await sleep(60)
  t.strictSame(
    scene.told.map(({ type }) => type),
    ['connecting', 'tcpConnected', 'tlsSecured', 'accepted', 'closed'],
  )
})

t.test('a refusal is the end, and the last word of the protocol comes before it', async t => {
  const scene: Scene = begin((await freshDoor()).port, {
    ending: () => scene.attempt.tell({ type: 'renewalDone', id: 'x', ok: false }),
  })
  await scene.ready
  scene.attempt.refused('cbs', 401, 'no')
  scene.attempt.refused('cbs', 401, 'no')
  await scene.over
  await sleep(20)
  t.match(scene.told.slice(-2), [{ type: 'renewalDone' }, { type: 'refused', step: 'cbs', code: 401, reason: 'no' }])
  t.equal(scene.told.filter(({ type }) => type === 'refused').length, 1)
})
