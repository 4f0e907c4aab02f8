/** Sockets of another process, watched by the real `ss` of this host. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import type { WatchedChange } from '../../agent/watch/changes.js'
import { createWatch } from '../../agent/watch/watch.js'

const skip = spawnSync('ss', ['-V']).error ? 'ss (Debian: iproute2) is not on this machine' : false

t.test('a connection of another process is seen, and seen to be gone', { skip }, async t => {
  const accepted: Socket[] = []
  // An address that nobody else on this machine connects to.
  const address = `127.${[0, 0, 0].map(() => 1 + Math.floor(Math.random() * 250)).join('.')}`
  const server = createServer(socket => accepted.push(socket)).listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const script = `const c = require('net').connect(${port}, '${address}', () => c.write('hello')); c.on('close', () => process.exit())`
  const child = spawn(process.execPath, ['-e', script])
  const changes: WatchedChange[] = []
  const notes: string[] = []
  let wake = (): void => undefined
  const watch = createWatch({
    hosts: ['my-hub.azure-devices.net'],
    everyMs: 20,
    nowMs: () => performance.now(),
    lookup: async () => [address],
    record: change => {
      changes.push(change)
      wake()
    },
    note: message => void notes.push(message),
  })
  const stop = new AbortController()
  const running = watch.part.run(stop.signal).catch(() => undefined)
  t.teardown(async () => {
    stop.abort()
    await running
    for (const socket of accepted) socket.destroy()
    server.close()
    child.kill()
  })
  const ofOurs = (what: WatchedChange['what']) =>
    changes.find(change => change.what === what && change.peer === `${address}:${port}`)
  const until = async (what: WatchedChange['what']): Promise<WatchedChange> => {
    for (;;) {
      const found = ofOurs(what)
      if (found) return found
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }

  const seen = await until('seen')
  t.match(seen, { coarse: true, host: 'my-hub.azure-devices.net', everyMs: 20, seenForMs: null })
  t.ok(seen.rttMs !== null && seen.rttMs > 0)
  t.ok(watch.sockets().some(({ peer, state }) => peer === `${address}:${port}` && state === 'ESTAB'))
  child.kill()
  const gone = await until('gone')
  t.equal(gone.local, seen.local)
  t.ok((gone.seenForMs ?? 0) > 0)
  t.strictSame(notes, [])
})

t.test('a daemon that cannot ask says so once, and goes on', async t => {
  const notes: string[] = []
  let asked = 0
  const stop = new AbortController()
  const watch = createWatch({
    hosts: ['127.0.0.1'],
    everyMs: 1,
    nowMs: () => 0,
    lookup: async host => [host],
    record: () => undefined,
    note: message => void notes.push(message),
    ask: async () => {
      asked += 1
      if (asked === 6) stop.abort()
      if (asked < 5) throw Object.assign(new Error('spawn ss ENOENT'), { code: 'ENOENT' })
      return []
    },
  })
  await watch.part.run(stop.signal).catch(() => undefined)
  t.strictSame(notes, ['sockets cannot be watched', 'sockets can be watched again'])
})
