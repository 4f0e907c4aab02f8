/** Two clients with one identity, over each protocol: the one that is taken over twice waits, and does not fight. */
import t from 'tap'
import type { Protocol } from '../../transports/wire-event.js'
import { startHub } from '../hub/hub.js'
import { tapClient } from '../support/tapped-client.js'
import { type WatchOptions, watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
t.teardown(() => hub.close())

const protocols: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

for (const protocol of protocols) {
  t.test(`${protocol}: after the second take-over in a row two minutes pass before the next attempt`, async t => {
    const deviceId = `shared-${protocol}`
    await hub.addDevice(deviceId)
    const connectionString = hub.connectionString(deviceId)
    const waits: number[] = []
    const connection = watchConnection({
      connectionString,
      ca: hub.ca,
      protocol,
      wait: async delayMs => {
        waits.push(delayMs)
      },
    })
    for (const attempt of [1, 2]) {
      await connection.next('subscribed', { where: event => event.attempt === attempt })
      const rival = tapClient({ connectionString, ca: hub.ca, protocol })
      await rival.client.open()
      rival.tap.enableMethods()
      await connection.next('closed', { where: event => event.attempt === attempt })
      await connection.next('subscribed', { where: event => event.attempt === attempt + 1 })
      rival.tap.abandon('abandoned')
    }
    await connection.stop()
    const retries = connection.told.flatMap(({ event }) => (event.type === 'retryScheduled' ? [event.policy] : []))
    t.strictSame(retries, ['network', 'takeOver'])
    t.ok(waits[0]! <= 1_000 && waits[1]! >= 120_000, `${waits} ms`)
  })
}

/** A client of the same identity that takes over whenever ours is back. @returns when ours was accepted, by the clock that is given */
async function fight(
  protocol: Protocol,
  deviceId: string,
  options: Pick<WatchOptions, 'wait'>,
  nowMs: () => number,
  untilMs: number,
): Promise<number[]> {
  await hub.addDevice(deviceId)
  const connectionString = hub.connectionString(deviceId)
  const accepted: number[] = []
  const rivals: Promise<unknown>[] = []
  let isOver = (): void => undefined
  const over = new Promise<void>(resolve => {
    isOver = resolve
  })
  const connection = watchConnection({
    connectionString,
    ca: hub.ca,
    protocol,
    ...options,
    onEvent: event => {
      if (event.type === 'accepted') {
        accepted.push(nowMs())
        if (nowMs() >= untilMs) isOver()
      }
      if (event.type === 'subscribed' && nowMs() < untilMs) rivals.push(takeOver())
    },
  })
  const takeOver = async (): Promise<void> => {
    const lost = connection.next('closed', { from: connection.told.length })
    const rival = tapClient({ connectionString, ca: hub.ca, protocol })
    await rival.client.open()
    rival.tap.enableMethods()
    await lost
    rival.tap.abandon('abandoned')
  }
  if (options.wait === undefined) setTimeout(isOver, untilMs).unref()
  await over
  await connection.stop()
  await Promise.all(rivals)
  return accepted
}

const minuteMs = 60_000

/** After the first minute no two reconnects within two minutes of each other. */
const isPeaceful = (accepted: readonly number[]): boolean =>
  accepted
    .filter(atMs => atMs >= minuteMs)
    .every((atMs, index, late) => index === 0 || atMs - late[index - 1]! >= 2 * minuteMs)

for (const protocol of protocols) {
  t.test(
    `${protocol}: in twenty minutes of fighting, after the first minute at most one reconnect in two minutes`,
    async t => {
      let virtualMs = 0
      const wait = async (delayMs: number): Promise<void> => {
        virtualMs += delayMs
      }
      const accepted = await fight(protocol, `fights-${protocol}`, { wait }, () => virtualMs, 20 * minuteMs)
      t.ok(isPeaceful(accepted), `accepted at ${accepted} ms`)
      t.ok(accepted.length > 5, 'and it never gave up')
    },
  )
}

t.test('the same in real time', { skip: process.env.HUBREC_TEST_LONG ? false : 'takes three minutes' }, async t => {
  const startedMs = performance.now()
  const nowMs = (): number => performance.now() - startedMs
  const fights = protocols.map(protocol => fight(protocol, `minutes-${protocol}`, {}, nowMs, 185_000))
  for (const [index, accepted] of (await Promise.all(fights)).entries()) {
    const late = accepted.filter(atMs => atMs >= minuteMs && atMs < 3 * minuteMs)
    t.ok(late.length <= 1 && isPeaceful(accepted), `${protocols[index]}: accepted at ${accepted.map(Math.round)} ms`)
    t.ok(accepted.length >= 2, `${protocols[index]} came back`)
  }
})
