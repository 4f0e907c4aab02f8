import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Disk, realDisk } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import { countCalls, watchRing } from '../../agent/systemd/ring-progress.js'

const stamp = () => ({ at: '2026-11-27T10:00:00.000Z', bootId: 'boot', monoMs: 0 })

t.test('a loop that does not turn is stuck; one that waits for its disk is not', async t => {
  const state = { nowMs: 0, calls: 0, turned: () => {} }
  const turn = (): Promise<void> =>
    new Promise(resolve => {
      state.turned = resolve
    })
  const progress = watchRing(
    { turn },
    () => state.calls,
    () => state.nowMs,
  )
  const after = (ms: number): number => {
    state.nowMs += ms
    return progress.stuckMs()
  }
  t.equal(after(0), 0, 'asked for the first time')
  t.equal(after(20_000), 20_000)
  state.calls = 1
  t.equal(after(600_000), 0, 'a disk that hangs for ten minutes')
  state.calls = 0
  t.equal(after(30_000), 30_000, 'it counts from where the disk came back')
  state.turned()
  await Promise.resolve()
  t.equal(after(90_000), 0, 'it came by')
  t.equal(after(61_000), 61_000, 'and was asked again')
})

t.test('a real ring turns, also while its disk does not answer and when it does again', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'ring-progress-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  let free: () => void = () => undefined
  let isHanging = false
  const hanging: Disk = {
    ...realDisk,
    async open(path, how) {
      const file = await realDisk.open(path, how)
      const write: typeof file.write = async (...args) => {
        if (isHanging)
          await new Promise<void>(resolve => {
            free = resolve
          })
        return file.write(...args)
      }
      return { ...file, write }
    },
  }
  const { disk, calls } = countCalls(hanging)
  const { ring } = await openRing({ dir, disk, budgetBytes: 1 << 20, stamp })
  let nowMs = 0
  const progress = watchRing(ring, calls, () => nowMs)
  t.equal(progress.stuckMs(), 0)
  await ring.turn()
  t.equal(calls(), 0)

  isHanging = true
  const appended = ring.append('{"type":"log"}', 'kernel')
  while (calls() === 0) await new Promise(resolve => setImmediate(resolve))
  nowMs += 1
  t.equal(progress.stuckMs(), 0)
  nowMs += 3_600_000
  t.equal(progress.stuckMs(), 0, 'nobody is killed who holds the only copy')
  isHanging = false
  free()
  t.equal(await appended, 2, 'after the context that opens the segment')
  await ring.turn()
  nowMs += 3_600_000
  t.equal(progress.stuckMs(), 0)
  await ring.close()
})
