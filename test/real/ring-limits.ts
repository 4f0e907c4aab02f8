/**
 * A ring whose process has too little of something, or whose system calls fail: it lives, says exactly what was lost, and is
 * back within 5 s when it may again.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { segmentBytesOf, segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { isThere as toolIsThere } from '../support/loop-mount.js'
import { accountOf, bytesOf, isThere } from '../support/ring-account.js'
import { collect } from '../support/ring-records.js'
import { type RemoteOptions, RingRemote } from '../support/ring-remote.js'

t.jobs = 3

/** Large enough that nothing goes by overflow, and the gap records stay. */
const budgetBytes = 4 << 20
const needs = (tool: string) => ({ skip: toolIsThere(tool) ? false : `there is no ${tool} on this machine` })

const start = (t: Test, options: Partial<RemoteOptions> = {}): Promise<RingRemote> =>
  RingRemote.start(t, { dir: t.testdir(), budgetBytes, ...options })

function limit(t: Test, { pid }: RingRemote, what: string): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', `${pid}`, what], { encoding: 'utf8' })
  t.equal(status, 0, `prlimit ${what} ${stderr}`)
}

/** It was in memory; now its disk is well again: it must come back, and account for everything. */
async function comesBack(t: Test, ring: RingRemote, reason: string): Promise<void> {
  const { appended } = ring
  const backMs = await isThere(t.testdirName, appended)
  t.comment(`back after ${Math.round(backMs)} ms`)
  const { seqs, state } = await ring.appendWell()
  t.ok(seqs[0], 'it takes records as before')
  t.match(state, { mode: 'disk', lostUnsaid: 0 })
  t.strictSame(await ring.close(), [0, null])

  const { lost, said, problems, reasons } = await accountOf(t.testdirName, ring.appended, ring.promised)
  t.strictSame(problems, [])
  t.equal(said, lost, `${lost} lost`)
  t.ok(lost > 0, 'there was more than memory holds')
  t.ok(reasons.includes(reason), `${reasons}`)
  t.ok(ringIsWhole(await collect(verifyRing(t.testdirName))))
  const bytes = bytesOf(t.testdirName)
  t.ok(bytes <= budgetBytes + segmentBytesOf(budgetBytes), `${bytes} bytes`)
}

t.test('files that must not become larger than a part of a segment', needs('prlimit'), async t => {
  const ring = await start(t)
  await ring.append({ fromId: 1, toId: 20 })
  limit(t, ring, '--fsize=9000:')
  const { state } = await ring.append({ fromId: 21, toId: 500 })
  t.match(state, { mode: 'memory', refusal: /EFBIG/ })
  t.equal((await ring.append({ fromId: 501, toId: 4_000 })).state.mode, 'memory')
  limit(t, ring, '--fsize=unlimited:')
  await comesBack(t, ring, 'diskFull')
})

t.test('no descriptor for another file', needs('prlimit'), async t => {
  const ring = await start(t)
  await ring.append({ fromId: 1, toId: 20 })
  // Those it has it keeps, and a segment is soon full.
  limit(t, ring, '--nofile=3:')
  let state = (await ring.append({ fromId: 21, toId: 40 })).state
  while (state.mode === 'disk')
    state = (await ring.append({ fromId: ring.appended + 1, toId: ring.appended + 20 })).state
  t.match(state, { refusal: /EMFILE/ })
  t.equal((await ring.append({ fromId: ring.appended + 1, toId: 4_000 })).state.mode, 'memory')
  limit(t, ring, '--nofile=1024:')
  await comesBack(t, ring, 'ioError')
})

t.test('a process that is born with little: files of 2,000 bytes', needs('prlimit'), async t => {
  const ring = await start(t, { under: ['prlimit', '--fsize=2000:'] })
  t.equal((await ring.append({ fromId: 1, toId: 4_000 })).state.mode, 'memory')
  limit(t, ring, '--fsize=unlimited:')
  await comesBack(t, ring, 'diskFull')
})

/** Containers often have it and may not use it. */
const canTrace = toolIsThere('strace') && spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
const traced = { skip: canTrace ? false : 'there is no strace on this machine, or it may not trace' }

/** @param fault as `-e inject` takes it, for calls on the first segment; they are counted by thread, so there is one */
const startFaulty = (t: Test, fault: string): Promise<RingRemote> => {
  const call = fault.split(':', 1)[0]
  const path = join(t.testdir(), segmentName(1))
  const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e', `trace=${call}`, '-e', `inject=${fault}`]
  return start(t, { under: strace, env: { UV_THREADPOOL_SIZE: '1' } })
}

/** Its disk is well again: it must come back with all it was ever given. */
async function isWholeAgain(t: Test, ring: RingRemote): Promise<void> {
  // What was there before its disk refused says nothing of its return.
  await ring.append({ fromId: ring.appended + 1, toId: ring.appended + 1 })
  t.comment(`back after ${Math.round(await isThere(t.testdirName, ring.appended))} ms`)
  const { seqs } = await ring.appendWell()
  t.ok(seqs[0], 'it takes records as before')
  t.strictSame(await ring.close(), [0, null])
  const account = await accountOf(t.testdirName, ring.appended, ring.promised)
  t.strictSame(account, { lost: 0, said: 0, problems: [], reasons: [] })
  t.ok(ringIsWhole(await collect(verifyRing(t.testdirName))))
}

t.test('a sync that fails once: who waited for it is told, and nothing is lost', traced, async t => {
  const ring = await startFaulty(t, 'fdatasync:error=EIO:when=1')
  const { seqs, state } = await ring.append({ fromId: 1, toId: 50, durability: 'disk' })
  t.strictSame(new Set(seqs), new Set([0]))
  t.match(state, { mode: 'memory', refusal: /EIO/ })
  await isWholeAgain(t, ring)
})

t.test('a disk that is full for a moment: the record that met it is written when there is room', traced, async t => {
  const ring = await startFaulty(t, 'pwrite64:error=ENOSPC:when=3')
  const some = () => ring.append({ fromId: ring.appended + 1, toId: ring.appended + 10 })
  let { state } = await some()
  while (state.mode === 'disk' && ring.appended < 1_000) state = (await some()).state
  t.match(state, { mode: 'memory', refusal: /ENOSPC/ })
  await isWholeAgain(t, ring)
})
