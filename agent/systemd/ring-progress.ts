/** Whether the ring's loop still turns. A disk that hangs is no fault of the loop: it must not kill who holds the only copy. */
import type { Disk, DiskFile } from '../ring/disk.js'
import type { RingWriter } from '../ring/ring.js'

/** Between two calls of the disk the ring has milliseconds of work, and seconds of packing. */
export const patienceMs = 60_000

export type CountedDisk = Readonly<{ disk: Disk; calls(): number }>

/** @returns the same disk, and how many of its calls are under way */
export function countCalls(real: Disk): CountedDisk {
  let calls = 0
  const counted = <Args extends unknown[], T>(act: (...args: Args) => Promise<T>): ((...args: Args) => Promise<T>) => {
    return async (...args) => {
      calls += 1
      try {
        return await act(...args)
      } finally {
        calls -= 1
      }
    }
  }
  const fileOf = (file: DiskFile): DiskFile => ({
    read: counted(file.read.bind(file)),
    write: counted(file.write.bind(file)),
    truncate: counted(file.truncate.bind(file)),
    datasync: counted(file.datasync.bind(file)),
    stat: counted(file.stat.bind(file)),
    close: counted(file.close.bind(file)),
  })
  const disk: Disk = {
    makeDirectory: counted(real.makeDirectory.bind(real)),
    list: counted(real.list.bind(real)),
    names: counted(real.names.bind(real)),
    space: counted(real.space.bind(real)),
    open: counted(async (path, how) => fileOf(await real.open(path, how))),
    rename: counted(real.rename.bind(real)),
    remove: counted(real.remove.bind(real)),
    syncDirectory: counted(real.syncDirectory.bind(real)),
  }
  return { disk, calls: () => calls }
}

export interface RingProgress {
  /** Asks the loop for a turn, unless one is asked for already. @returns for how long none has come, without the disk's time */
  stuckMs(): number
}

/** @param nowMs monotonic, without suspended time */
export function watchRing(ring: Pick<RingWriter, 'turn'>, calls: () => number, nowMs: () => number): RingProgress {
  let waitingSinceMs: number | null = null
  return {
    stuckMs() {
      if (waitingSinceMs === null || calls() > 0) {
        if (waitingSinceMs === null) {
          void ring.turn().then(() => {
            waitingSinceMs = null
          })
        }
        waitingSinceMs = nowMs()
        return 0
      }
      return nowMs() - waitingSinceMs
    },
  }
}
