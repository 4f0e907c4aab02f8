/** The inventory of this very machine, and of one where a program hangs, dies or is not there. */
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { inventoryParts, takeInventory } from '../../agent/evidence/inventory.js'

/** All keys of a value, at any depth. */
const keysOf = (value: unknown): string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
    : []

/** Puts a script in the place of a program, for this test alone. */
function replace(t: Test, program: string, script: string): string {
  const dir = t.testdir({ [program]: `#!/bin/sh\n${script}\n` })
  chmodSync(join(dir, program), 0o755)
  const { PATH } = process.env
  process.env.PATH = `${dir}:${PATH}`
  t.teardown(() => {
    process.env.PATH = PATH
  })
  return dir
}

/** Waits for a file, however slow the machine. */
async function content(path: string): Promise<string> {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await wait(5)
  return readFileSync(path, 'utf8').trim()
}

/** A process that has ended may stay as a zombie until somebody takes note of it. */
const lives = (pid: string): boolean => {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : null
  return stat !== null && !/^\d+ \(.*\) Z/.test(stat)
}

t.test('the inventory of this machine is complete, and says nothing that identifies its hardware', async t => {
  process.env.HUBREC_CONNECTION_STRING = 'HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0c2VjcmV0'
  t.teardown(() => delete process.env.HUBREC_CONNECTION_STRING)
  const { parts, missing, durationMs } = await takeInventory({ timeLimitMs: 60_000 })
  t.strictSame(missing, {})
  t.strictSame(Object.keys(parts), [...inventoryParts])
  t.ok(durationMs > 0)
  t.match(parts, {
    versions: {
      hubrec: JSON.parse(readFileSync('package.json', 'utf8')).version,
      node: process.versions.node,
      sdk: { 'azure-iot-device': '1.18.4', 'azure-iot-device-mqtt': '1.16.4', mqtt: '4.3.8' },
    },
    os: { platform: 'linux', kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim() },
    time: { uptimeSeconds: Number, timezone: String },
    memory: { totalBytes: Number },
    cpu: { cores: Number },
    board: { model: String },
  })
  const text = JSON.stringify(parts)
  t.strictSame(
    keysOf(parts).filter(key => /serial|uuid|mac$|env|argv/i.test(key)),
    [],
  )
  t.notOk(text.includes('c2VjcmV0'))
  if (existsSync('/etc/machine-id')) t.notOk(text.includes(readFileSync('/etc/machine-id', 'utf8').trim()))
})

t.test('a program that hangs costs its part and those after it, and is ended with the inventory', async t => {
  const dir = replace(t, 'lsblk', 'echo $$ > "$(dirname "$0")/pid"; exec sleep 1000')
  const stop = new AbortController()
  const inventory = takeInventory({ timeLimitMs: 60_000, signal: stop.signal })
  const pid = await content(join(dir, 'pid'))
  t.ok(lives(pid))
  stop.abort()
  const { parts, missing } = await inventory
  t.strictSame(Object.keys(parts), ['versions', 'os', 'time', 'memory', 'cpu', 'board'])
  const why = 'stopped before it was answered'
  t.strictSame(missing, { disks: why, interfaces: why, fileSystems: why })
  while (lives(pid)) await wait(5)
})

t.test('the time limit holds, whatever hangs', async t => {
  const dir = replace(t, 'lsblk', 'echo $$ > "$(dirname "$0")/pid"; sleep 1000')
  const { parts, missing } = await takeInventory({ timeLimitMs: 4_000 })
  t.equal(missing.fileSystems, 'no answer within 4000 ms')
  t.strictSame([...Object.keys(parts), ...Object.keys(missing)], [...inventoryParts])
  const pid = await content(join(dir, 'pid'))
  while (lives(pid)) await wait(5)
})

t.test('a process that dies is said to have died, and what it had sent is kept', async t => {
  replace(t, 'lsblk', 'kill -9 0')
  const { parts, missing } = await takeInventory({ timeLimitMs: 60_000 })
  t.ok(parts.os)
  t.equal(missing.disks, "the inventory's process ended with SIGKILL")
})

t.test('one that is not asked at all is missing as a whole', async t => {
  const { parts, missing } = await takeInventory({ signal: AbortSignal.abort() })
  t.strictSame(parts, {})
  t.strictSame(missing, Object.fromEntries(inventoryParts.map(part => [part, 'stopped before it was asked'])))
})
