/** All checks, each as soon as what it needs is known, within one limit: whatever hangs costs its own answer. */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { AgentError } from '../errors.js'
import { type Answer, type Check, failed, skipped } from './check.js'
import type { Facts } from './facts.js'

export type Answered = Readonly<{ check: Check; answer: Answer; tookMs: number }>

export type DoctorOptions = Readonly<{
  facts: Facts
  checks: readonly Check[]
  signal: AbortSignal
  /** Of one check, and of all. */
  limitMs?: number
  wholeLimitMs?: number
  /** Told as each begins to be asked. */
  onAsking?(check: Check): void
  /** Told as each is answered. */
  onAnswer?(answered: Answered): void
}>

const limitMsStandard = 15_000
const wholeLimitMsStandard = 30_000

/** @returns one answer for each check, in the order of the list. @throws the signal's reason */
export async function runDoctor(options: DoctorOptions): Promise<readonly Answered[]> {
  const { facts, checks, signal, limitMs = limitMsStandard, wholeLimitMs = wholeLimitMsStandard } = options
  signal.throwIfAborted()
  const whole = limited(signal, wholeLimitMs)
  const answers = new Map<string, Promise<Answered>>()

  const answerTo = async (check: Check): Promise<Answered> => {
    const waited = await Promise.all(check.needs.map(need => answers.get(need)))
    const lacking = waited.flatMap(each => (each && isBad(each.answer) ? [each.check.id] : []))
    if (lacking.length > 0) return tell(check, skipped(`waits for ${lacking.join(', ')}`), 0)
    options.onAsking?.(check)
    const beganMs = facts.clock.now().monoMs
    const answer = await asked(check, facts, whole.signal, limitMs)
    return tell(check, answer, Math.round(facts.clock.now().monoMs - beganMs))
  }
  const tell = (check: Check, answer: Answer, tookMs: number): Answered => {
    const answered = { check, answer, tookMs }
    options.onAnswer?.(answered)
    return answered
  }
  // In the order of the list, so that what a check needs is known by the time that it asks for it.
  for (const check of checks) answers.set(check.id, answerTo(check))
  // Many a wait holds no process; who asks wants to hear the answer.
  const hold = setInterval(() => undefined, wholeLimitMs)
  try {
    const all = await Promise.all(answers.values())
    signal.throwIfAborted()
    return all
  } finally {
    clearInterval(hold)
    whole.end()
  }
}

const isBad = ({ result }: Answer): boolean => result === 'failed' || result === 'skipped'

async function asked(check: Check, facts: Facts, whole: AbortSignal, limitMs: number): Promise<Answer> {
  const limit = limited(whole, limitMs)
  const over = new Promise<Answer>(resolve => {
    const late = (): void => resolve(failed('no answer came in time'))
    if (limit.signal.aborted) late()
    limit.signal.addEventListener('abort', late, { once: true })
  })
  try {
    // A question that is answered in the moment of its end is answered.
    return await Promise.race([check.ask(facts, limit.signal), over.then(late => sleep(50, late, { ref: false }))])
  } catch (error) {
    if (error instanceof AgentError) return failed(error.problems.join('; ') || error.message)
    return failed(error instanceof Error ? error.message : String(error))
  } finally {
    limit.end()
  }
}

/**
 * A signal that aborts with another one, or when its time is over. Not `AbortSignal.any` with `AbortSignal.timeout`: what nobody else
 * holds is collected there before its time, and never aborts.
 */
function limited(outer: AbortSignal, ms: number): Readonly<{ signal: AbortSignal; end(): void }> {
  const controller = new AbortController()
  // All checks at once wait for the one, which is no leak.
  setMaxListeners(0, controller.signal)
  const abort = (): void => controller.abort(outer.reason)
  const timer = setTimeout(() => controller.abort(), ms)
  if (outer.aborted) abort()
  outer.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer)
      outer.removeEventListener('abort', abort)
    },
  }
}
