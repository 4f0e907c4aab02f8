/**
 * A device that loses the hub's name or the road to it, with the system's own resolver: run in a network of its own,
 * where the name server can have port 53. Prints what was seen as one line of JSON.
 *
 *     node resolver-scene.js TROUBLE DNS_LIMIT_MS
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startHub } from '../hub/hub.js'
import { startNameServer } from '../hub/name-server.js'
import { startCountingRelay } from './counting-relay.js'
import { followConnection } from './followed-connection.js'
import { hubAddress, hubName, type Seen, type Trouble } from './resolver-seen.js'

const run = promisify(execFile)
const ip = async (...args: string[]): Promise<void> => void (await run('ip', args))

const [trouble, dnsLimitMs] = process.argv.slice(2) as [Trouble, string]

await ip('address', 'add', `${hubAddress}/32`, 'dev', 'lo')
const names = await startNameServer({ port: 53 })
const hub = await startHub({ hostName: hubName })
const door = await hub.addDevice('gateway')
const relay = await startCountingRelay(door.port, hubAddress)

async function begin(): Promise<void> {
  if (trouble === 'linkDown') await ip('link', 'set', 'lo', 'down')
  else if (trouble === 'noRoute') await ip('address', 'del', `${hubAddress}/32`, 'dev', 'lo')
  else names.set(trouble)
}

async function end(): Promise<void> {
  if (trouble === 'linkDown') await ip('link', 'set', 'lo', 'up')
  else if (trouble === 'noRoute') await ip('address', 'add', `${hubAddress}/32`, 'dev', 'lo')
  else names.set('answer')
}

const connectionString = hub.connectionString('gateway')
await begin()
const connection = followConnection({
  connectionString:
    trouble === 'noRoute' ? connectionString.replace(`:${door.port}`, `:${relay.port}`) : connectionString,
  ca: hub.ca,
  keepaliveSeconds: 2,
  timeoutsMs: { dns: Number(dnsLimitMs) },
})
const statuses: number[] = []

/** Lets two attempts fail, then ends the trouble, and waits until a method is answered. */
async function failTwiceAndReturn(from: number): Promise<void> {
  for (let left = 2, at = from; left > 0; left--) {
    const failed = await connection.next('closed', { from: at, where: ({ lastedMs }) => lastedMs === null })
    at = connection.told.findIndex(({ event }) => event === failed) + 1
  }
  await end()
  await connection.next('subscribed', { from })
  const { status } = await hub.invokeMethod({ deviceId: 'gateway' }, { methodName: 'ping' })
  statuses.push(status)
}

await failTwiceAndReturn(0)
const from = connection.told.length
await begin()
// Without a road nothing comes to an end by itself: then the keepalive finds it out.
if (trouble !== 'linkDown' && trouble !== 'noRoute') door.cut('rst')
await failTwiceAndReturn(from)
await connection.stop()

const attempts = connection.told.flatMap(({ event }) =>
  event.type === 'closed' && event.lastedMs === null ? [event] : [],
)
const seen: Seen = { statuses, episodes: connection.episodes, attempts }
console.log(JSON.stringify(seen))
await relay[Symbol.asyncDispose]()
await hub.close()
await names.close()
