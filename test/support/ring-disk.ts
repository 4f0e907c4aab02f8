/** The real disk, except for what a test wants to go wrong: the ring's own failures cannot be had from a disk that is well. */
import { type Disk, type DiskFile, realDisk } from '../../agent/ring/disk.js'

export type Operation =
  | 'makeDirectory'
  | 'list'
  | 'names'
  | 'space'
  | 'open'
  | 'read'
  | 'write'
  | 'truncate'
  | 'datasync'
  | 'rename'
  | 'remove'
  | 'syncDirectory'

/** What happens instead. `takes`: how many bytes a write hands over before it fails. */
export type Fault = Readonly<{ code: string; takes?: number }>

/** Asked before every operation; `null` lets it happen. */
export type FaultPlan = (operation: Operation, path: string) => Fault | null

export const faultyDisk = (plan: FaultPlan): Disk => {
  const orFail = async <T>(operation: Operation, path: string, act: () => Promise<T>): Promise<T> => {
    const fault = plan(operation, path)
    if (fault) throw failure(fault, operation)
    return act()
  }
  return {
    makeDirectory: path => orFail('makeDirectory', path, () => realDisk.makeDirectory(path)),
    list: path => orFail('list', path, () => realDisk.list(path)),
    names: path => orFail('names', path, () => realDisk.names(path)),
    space: path => orFail('space', path, () => realDisk.space(path)),
    open: (path, how) => orFail('open', path, async () => faultyFile(await realDisk.open(path, how), path, plan)),
    rename: (from, to) => orFail('rename', from, () => realDisk.rename(from, to)),
    remove: path => orFail('remove', path, () => realDisk.remove(path)),
    syncDirectory: path => orFail('syncDirectory', path, () => realDisk.syncDirectory(path)),
  }
}

function faultyFile(file: DiskFile, path: string, plan: FaultPlan): DiskFile {
  const orFail = async <T>(operation: Operation, act: () => Promise<T>): Promise<T> => {
    const fault = plan(operation, path)
    if (fault) throw failure(fault, operation)
    return act()
  }
  return {
    read: (into, offset, length, position) => orFail('read', () => file.read(into, offset, length, position)),
    async write(from, offset, length, position) {
      const fault = plan('write', path)
      if (!fault) return file.write(from, offset, length, position)
      const taken = Math.min(fault.takes ?? 0, length)
      if (taken === 0) throw failure(fault, 'write')
      return file.write(from, offset, taken, position)
    },
    truncate: bytes => orFail('truncate', () => file.truncate(bytes)),
    datasync: () => orFail('datasync', () => file.datasync()),
    stat: () => file.stat(),
    close: () => file.close(),
  }
}

const failure = ({ code }: Fault, operation: Operation): Error =>
  Object.assign(new Error(`${code}: ${operation} was made to fail`), { code })
