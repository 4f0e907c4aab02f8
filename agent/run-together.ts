/** Starting and stopping is one signal: parts run until it aborts, and no failure hides another. */
import { AgentError } from './errors.js'

/** A long-lived piece of the daemon. It runs until `signal` aborts; ending sooner ends the daemon. */
export type Part = Readonly<{ name: string; run(signal: AbortSignal): Promise<void> }>

/**
 * Run all parts until `stop` aborts or one of them ends, then stop the rest and wait for them.
 *
 * @param graceMs how long the parts may take to finish once stopping has begun
 * @throws the part's failure, or an AggregateError of several; parts that would not stop are named in an
 *   AgentError `STOP_OVERDUE`
 */
export async function runTogether(parts: readonly Part[], stop: AbortSignal, graceMs: number): Promise<void> {
  const ended = new AbortController()
  const signal = AbortSignal.any([stop, ended.signal])
  const alive = new Set(parts.map(part => part.name))
  const failures: unknown[] = []

  const running = parts.map(async part => {
    try {
      await part.run(signal)
    } catch (error) {
      if (!isInterruption(error, signal)) failures.push(error)
    } finally {
      alive.delete(part.name)
      ended.abort()
    }
  })

  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<'overdue'>(resolve => {
    const arm = (): void => {
      timer = setTimeout(resolve, graceMs, 'overdue')
    }
    if (signal.aborted) arm()
    else signal.addEventListener('abort', arm, { once: true })
  })

  const first = await Promise.race([Promise.all(running), overdue])
  clearTimeout(timer)
  if (first === 'overdue') failures.push(new AgentError('STOP_OVERDUE', [...alive].join(', ')))
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, 'several parts failed')
}

/** A wait cut short by the signal is how a part is meant to end. */
const isInterruption = (error: unknown, signal: AbortSignal): boolean =>
  signal.aborted && error instanceof Error && error.name === 'AbortError'
