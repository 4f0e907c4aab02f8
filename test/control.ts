import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { askDaemon, claimControlSocket } from '../agent/control.js'

/** A short path: the name of a unix socket has room for 107 bytes. */
const dir = await mkdtemp(join(tmpdir(), 'hubrec-'))
t.teardown(() => rm(dir, { recursive: true }))

t.test('a daemon answers what it was asked, to its user and group only', async t => {
  const path = join(dir, 'answers')
  const socket = await claimControlSocket(path)
  await t.rejects(askDaemon(path, 'status'), /answered 503/, 'it is still starting')
  socket.answer({
    status: async () => ({ daemon: 'running' }),
    broken: () => Promise.reject(new Error('the disk is gone')),
  })
  t.strictSame(await askDaemon(path, 'status'), { daemon: 'running' })
  await t.rejects(askDaemon(path, 'broken'), /answered 500: .*the disk is gone/)
  await t.rejects(askDaemon(path, 'constructor'), /answered 404/)
  t.equal((await stat(path)).mode & 0o777, 0o660)
  await socket.close()
  t.equal(await askDaemon(path, 'status'), null)
})

t.test('a second daemon on the same state is kept away', async t => {
  const path = join(dir, 'taken')
  const socket = await claimControlSocket(path)
  await t.rejects(claimControlSocket(path), { code: 'ALREADY_RUNNING' })
  await socket.close()
})

t.test('the remains of a daemon that died are taken over', async t => {
  const path = join(dir, 'remains')
  const dies = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', dies, path]), 'exit')
  t.ok((await stat(path)).isSocket(), 'it left its socket behind')
  const socket = await claimControlSocket(path)
  socket.answer({ status: async () => 'well' })
  t.equal(await askDaemon(path, 'status'), 'well')
  await socket.close()
})

t.test('what is no socket is left as it is', async t => {
  const path = join(dir, 'precious.txt')
  await writeFile(path, 'of somebody else')
  await t.rejects(claimControlSocket(path), { code: 'ENOTSOCK', message: `${path} is there, and is no socket` })
  t.equal(await readFile(path, 'utf8'), 'of somebody else')
})

t.test('where no socket can be made, the error of the system says why', async t => {
  await t.rejects(claimControlSocket(join(dir, 'no', 'such', 'directory')), { code: /EACCES|ENOENT/ })
})

t.test('something else that listens there is not mistaken for a daemon that is well', async t => {
  const path = join(dir, 'other')
  const other = createServer(socket => socket.end('who are you?\n', () => socket.destroy()))
  await new Promise<void>(resolve => other.listen(path, resolve))
  await t.rejects(askDaemon(path, 'status'))
  await new Promise(resolve => other.close(resolve))
})
