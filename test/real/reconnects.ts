/**
 * Reconnects in a row over each protocol: memory, listeners and handles stay flat. A hundred with every `npm test`, two thousand
 * with HUBREC_TEST_LONG, where the slope is steady enough to be held to little.
 */
import t from 'tap'
import type { Protocol } from '../../transports/wire-event.js'
import { startHub } from '../hub/hub.js'
import { collectGarbage, grown, settled, startChurn } from '../support/left-over.js'

const isLong = Boolean(process.env.HUBREC_TEST_LONG)
const reconnects = isLong ? 2_000 : 100
const looks = 20

/** A client that stays takes some hundred KB. In a hundred reconnects what is compiled still grows by 25 KB each; in two thousand that is over. */
const heapBytesPerReconnectMax = isLong ? 5_000 : 60_000

const rssBytesPerReconnectMax = 20_000

/** Optimised code may hold on to a client that it has seen. */
const heldByTheEngine = 2

const hub = await startHub()
t.teardown(() => hub.close())

/** Least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)]
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

const rejections: unknown[] = []
process.on('unhandledRejection', reason => rejections.push(reason))

for (const protocol of ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] satisfies Protocol[]) {
  t.test(`${protocol}: ${reconnects} reconnects in a row leave nothing behind`, async t => {
    const deviceId = `reconnecting-${protocol}`
    const door = await hub.addDevice(deviceId)
    const churn = await startChurn(hub.connectionString(deviceId), hub.ca, protocol)
    const again = (): Promise<void> => churn.through(() => door.cut(churn.incarnations % 2 === 0 ? 'fin' : 'rst'))
    // What is made once and kept.
    for (let warm = 0; warm < 10; warm++) await again()
    const { alive = 0, ...others } = churn.leftOver()
    const before = { alive: alive + heldByTheEngine, ...others }
    const heap: [number, number][] = []
    const resident: [number, number][] = []
    for (let look = 0; look < looks; look++) {
      for (let count = 0; count < reconnects / looks; count++)
        await again()
        // The hub's own memory of it is not what is measured.
      ;(hub.log as unknown[]).length = 0
      collectGarbage()
      const { heapUsed, rss } = process.memoryUsage()
      heap.push([churn.incarnations, heapUsed])
      resident.push([churn.incarnations, rss])
    }
    t.strictSame(await settled(() => grown(before, churn.leftOver()), {}), {})
    // The first half warms up: code is compiled, caches are filled.
    const perReconnect = slope(heap.slice(looks / 2))
    t.ok(perReconnect < heapBytesPerReconnectMax, `${Math.round(perReconnect)} bytes for each reconnect`)
    const perReconnectRss = slope(resident.slice(looks / 2))
    // In a hundred, what the allocator keeps for later says nothing.
    if (isLong)
      t.ok(perReconnectRss < rssBytesPerReconnectMax, `${Math.round(perReconnectRss)} bytes resident for each`)
    const rssMiB = Math.round(process.memoryUsage().rss / 2 ** 20)
    t.comment(`${churn.incarnations} clients, ${Math.round(perReconnect)} bytes for each, ${rssMiB} MiB resident`)
    await churn.stop()
    t.strictSame(rejections, [])
  })
}
