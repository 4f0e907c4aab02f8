/** The rounds in sequence, and in each all rows side by side, as many at once as the machine is given. */
import type { Protocol } from '../../transports/wire-event.js'
import type { Fault } from './faults.js'
import { measure, type Settings } from './measure.js'
import type { PairOptions } from './pair.js'
import type { Round } from './verdict.js'

export type Row = Readonly<{ fault: Fault; protocol: Protocol }>

export type Outcome = Row & Readonly<{ rounds: readonly Round[]; failures: readonly string[] }>

export type Around = Pick<PairOptions, 'hub' | 'dir' | 'signal'> & Readonly<{ progress(text: string): void }>

export async function runRounds(rows: readonly Row[], settings: Settings, around: Around): Promise<Outcome[]> {
  const { hub, dir, signal, progress } = around
  const found = rows.map(row => ({ ...row, rounds: [] as Round[], failures: [] as string[] }))
  // Those that hold long come first, so that nobody waits for them alone in the end.
  const order = found.toSorted((a, b) => Number(b.fault.holds === 'lasting') - Number(a.fault.holds === 'lasting'))
  let pairs = 0
  for (let round = 1; round <= settings.rounds; round += 1) {
    const waiting = [...order]
    let done = 0
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        signal.throwIfAborted()
        const { fault, protocol } = next
        pairs += 1
        try {
          next.rounds.push(await measure(fault, protocol, `p${pairs}`, settings, { hub, dir, signal }))
        } catch (error) {
          signal.throwIfAborted()
          // The other rows can still be measured, and this one's failure does not get lost among them.
          next.failures.push(error instanceof Error ? error.message : String(error))
        }
        done += 1
        progress(`round ${round} of ${settings.rounds}: ${done} of ${rows.length}, ${fault.name} ${protocol}`)
      }
    }
    await Promise.all(Array.from({ length: settings.pairs }, work))
  }
  return found
}
