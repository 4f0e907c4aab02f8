/** Regular expressions from outside, in a thread of their own with a time limit: one can keep a processor busy for ever. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Refusal } from './method.js'

export type PatternQuestion = Readonly<{ pattern: string; flags: string; texts: readonly string[] }>
export type PatternAnswer = readonly boolean[]

/** Which of the texts an expression is found in. @throws Refusal when its time is over */
export type Matcher = (texts: readonly string[]) => Promise<PatternAnswer>

export interface Patterns {
  /**
   * @param name of the field it came in, for messages
   * @param pattern JavaScript's, and `(?i)` at its beginning for "without regard to case"
   * @throws Refusal when it is no regular expression
   */
  matcher(name: string, pattern: string, ignoreCase?: boolean): Matcher
}

const limitMsDefault = 2_000

/** Loading a thread on a slow board is not the expression's fault. */
const startLimitMs = 10_000

/** A thread costs some megabytes; it goes when nobody has asked for a while. */
const idleMs = 30_000

/** @param limitMs for all that one matcher is asked */
export function createPatterns(limitMs = limitMsDefault): Patterns {
  let thread: Promise<Worker> | null = null
  let idle: NodeJS.Timeout | undefined
  let queue: Promise<unknown> = Promise.resolve()

  const end = (): void => {
    const ending = thread
    thread = null
    ending?.then(
      worker => worker.terminate(),
      () => 'it never began',
    )
  }

  /** @returns `null` when there was no answer in time, or the expression was too much for the thread */
  const ask = async (question: PatternQuestion, budget: { leftMs: number }): Promise<PatternAnswer | null> => {
    clearTimeout(idle)
    thread ??= startThread()
    const worker = await thread.catch((error: unknown) => {
      end()
      throw error
    })
    const startedMs = performance.now()
    try {
      const answered = once(worker, 'message', { signal: AbortSignal.timeout(Math.ceil(budget.leftMs)) })
      worker.postMessage(question)
      const [answer]: PatternAnswer[] = await answered
      return answer ?? null
    } catch (error) {
      end()
      if (error instanceof Error) return null
      throw error
    } finally {
      budget.leftMs -= performance.now() - startedMs
      idle = setTimeout(end, idleMs).unref()
    }
  }

  /** One at a time: two that take their time must not take two processors. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work)
    queue = turn.catch(() => 'whoever asked has heard of it')
    return turn
  }

  return {
    matcher(name, given, ignoreCase = false) {
      const pattern = given.replace(/^\(\?i\)/, '')
      const flags = ignoreCase || pattern !== given ? 'i' : ''
      if (!isExpression(pattern, flags)) throw new Refusal(400, `${name}: expected a regular expression`)
      const plain = plainMatcher(pattern, flags)
      if (plain) return plain
      const budget = { leftMs: limitMs }
      return texts =>
        inTurn(async () => {
          const answer = budget.leftMs > 0 ? await ask({ pattern, flags, texts }, budget) : null
          if (!answer) throw new Refusal(400, `${name}: the regular expression took longer than ${limitMs} ms`)
          return answer
        })
    },
  }
}

const workerUrl = new URL('./pattern-worker.js', import.meta.url)

async function startThread(): Promise<Worker> {
  const worker = new Worker(workerUrl, { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 64 } })
  // Not for the process to wait for.
  worker.unref()
  worker.on('error', () => 'whoever waits for an answer hears of it')
  await once(worker, 'message', { signal: AbortSignal.timeout(startLimitMs) })
  return worker
}

/** Compiling is quick whatever the expression; running it is what may never end. */
function isExpression(pattern: string, flags: string): boolean {
  try {
    return new RegExp(pattern, flags) !== null
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** A word is the usual pattern, and finding it takes no thread. */
function plainMatcher(pattern: string, flags: string): Matcher | null {
  if (!/^[\w -]*$/.test(pattern)) return null
  const fold = (text: string): string => (flags === 'i' ? text.toLowerCase() : text)
  return async texts => texts.map(text => fold(text).includes(fold(pattern)))
}
