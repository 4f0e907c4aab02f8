/** Who holds a state directory, asked of real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { holderOf, lockState } from '../agent/lock.js'

const dir = mkdtempSync(join(tmpdir(), 'lock-'))
t.teardown(() => rmSync(dir, { recursive: true }))

t.test('whoever holds it says who it is, and what became of its control socket', async t => {
  t.equal(await holderOf(dir), null)
  let refusal: string | null = null
  const lock = await lockState(dir, () => ({ path: '/x/control.sock', refusal }))
  const held = { pid: process.pid, answers: true, state: 'R' }
  t.match(await holderOf(dir), { ...held, state: /^[RS]$/, control: { path: '/x/control.sock', refusal: null } })
  refusal = 'ENOTDIR'
  t.match(await holderOf(dir), { control: { refusal: 'ENOTDIR' } })
  await t.rejects(lockState(dir), {
    code: 'ALREADY_RUNNING',
    message: `ALREADY_RUNNING: another hubrec (pid ${process.pid}) writes to ${dir}`,
  })
  lock.release()
  t.equal(await holderOf(dir), null)
})

t.test('one that was stopped holds on, and says nothing: the kernel says who it is', async t => {
  const lock = pathToFileURL(resolve('dist/agent/lock.js')).href
  const script = `const { lockState } = await import('${lock}'); await lockState('${dir}'); console.log('held'); setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  t.strictSame(await holderOf(dir), { pid: child.pid, control: null, answers: false, state: 'T' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(await holderOf(dir), null, 'and what is dead holds nothing')
})
