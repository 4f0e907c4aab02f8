/** Whether a process is still there, as far as its host shows it to us. */
import { readFileSync, readlinkSync } from 'node:fs'

export type ProcessId = Readonly<{ pid: number; pidNamespace: string | null; startTicks: number | null }>

/** `unknown` where its pid means nothing here, because it lives in another namespace. */
export function processState({ pid, pidNamespace, startTicks }: ProcessId): 'alive' | 'gone' | 'unknown' {
  if (pidNamespace === null || pidNamespace !== ownPidNamespace()) return 'unknown'
  const found = statOf(pid)
  if (found !== null) {
    const isOther = startTicks !== null && found.startTicks !== startTicks
    return isOther || found.isDead ? 'gone' : 'alive'
  }
  try {
    process.kill(pid, 0)
    return 'alive'
  } catch (error) {
    // EPERM: it is there, and not ours.
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'gone' : 'alive'
  }
}

/** Of this process, to be told to others. */
export const ownProcess = (): ProcessId => ({
  pid: process.pid,
  pidNamespace: ownPidNamespace(),
  startTicks: statOf(process.pid)?.startTicks ?? null,
})

function ownPidNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // No /proc, or one that hides it: then pids are not compared.
    return null
  }
}

/** See proc_pid_stat(5): the name in the second field may hold anything, so fields are counted after its bracket. */
function statOf(pid: number): { isDead: boolean; startTicks: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { isDead: fields[0] === 'Z' || fields[0] === 'X', startTicks: Number(fields[19]) }
  } catch {
    // Hidden from us, or gone: the caller asks in another way.
    return null
  }
}
