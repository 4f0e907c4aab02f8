/** CPU: the load, where its time went, and how much of it we took. Times count from boot or from our start. */
import { join } from 'node:path'
import { fieldsOf, readText, toDecimal, toInteger } from './files.js'
import type { Reading } from './reading.js'

/** Linux counts in hundredths of a second for every program outside the kernel. */
const tickMs = 10

export type CpuTimes = Readonly<{ busyMs: number; idleMs: number; ioWaitMs: number; stealMs: number }>
export type Load = Readonly<{ load1: number; load5: number; load15: number; running: number; threads: number }>

export const load: Reading = {
  name: 'load',
  async read({ procRoot }) {
    const [average, stat] = await Promise.all([readText(join(procRoot, 'loadavg')), readText(join(procRoot, 'stat'))])
    const { user, system } = process.cpuUsage()
    return {
      average: parseLoad(average ?? ''),
      cpu: parseCpuTimes(stat ?? ''),
      own: { userMs: Math.round(user / 1e3), systemMs: Math.round(system / 1e3) },
    }
  },
}

/** /proc/loadavg. */
export function parseLoad(text: string): Load | null {
  const [one, five, fifteen, tasks] = fieldsOf(text)
  const [load1, load5, load15] = [one, five, fifteen].map(toDecimal)
  const [running, threads] = (tasks ?? '').split('/').map(toInteger)
  if (load1 == null || load5 == null || load15 == null || running == null || threads == null) return null
  return { load1, load5, load15, running, threads }
}

/** The first line of /proc/stat: all processors together. */
export function parseCpuTimes(text: string): CpuTimes | null {
  const [word, ...cells] = fieldsOf(text.split('\n', 1)[0] ?? '')
  const [user, nice, system, idle, ioWait, irq, softIrq, steal] = cells.map(toInteger)
  if (word !== 'cpu' || user == null || nice == null || system == null || idle == null) return null
  const ticks = (...values: (number | null | undefined)[]) =>
    values.reduce<number>((sum, n) => sum + (n ?? 0), 0) * tickMs
  return {
    busyMs: ticks(user, nice, system, irq, softIrq),
    idleMs: ticks(idle),
    ioWaitMs: ticks(ioWait),
    stealMs: ticks(steal),
  }
}
