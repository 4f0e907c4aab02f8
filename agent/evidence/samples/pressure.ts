/**
 * Pressure stall information: how much time work lost waiting for CPU, disk or memory. A Raspberry Pi has it only when
 * started with `psi=1`.
 */
import { join } from 'node:path'
import { fieldsOf, readText, toDecimal } from './files.js'
import type { Reading } from './reading.js'

/** Percent of the last 10 s in which some, or all, work waited. `null` where the kernel does not say. */
export type Pressure = Readonly<{ someAvg10: number | null; fullAvg10: number | null }>

export const pressure: Reading = {
  name: 'pressure',
  async read({ procRoot }) {
    const [cpu, io, memory] = await Promise.all(
      ['cpu', 'io', 'memory'].map(async name => parsePressure(await readText(join(procRoot, 'pressure', name)))),
    )
    return cpu || io || memory ? { cpu, io, memory } : null
  },
}

export function parsePressure(text: string | null): Pressure | null {
  const lines = (text ?? '').split('\n').map(fieldsOf)
  const average = (kind: string) =>
    toDecimal(
      lines
        .find(([word]) => word === kind)
        ?.find(cell => cell.startsWith('avg10='))
        ?.slice('avg10='.length),
    )
  const found = { someAvg10: average('some'), fullAvg10: average('full') }
  return found.someAvg10 === null && found.fullAvg10 === null ? null : found
}
