/** Questions to the hub that it has not answered yet: each has an end, also where the SDK would wait for ever. */

/** What becomes of one: called once, later calls are nothing. */
export type Answered<T> = (error: Error | null | undefined, value?: T) => void

export interface Questions {
  /** Rejects with what it was answered with, when nothing came within the limit, and when all are given up. */
  ask<T>(put: (answered: Answered<T>) => void): Promise<T>
  /** Nobody will answer any more. */
  giveUp(why: Error): void
}

const limitMsDefault = 30_000

export function createQuestions(limitMs = limitMsDefault): Questions {
  const open = new Set<(why: Error) => void>()

  return {
    ask: <T>(put: (answered: Answered<T>) => void) =>
      new Promise<T>((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer)
          open.delete(fail)
        }
        const fail = (why: Error): void => {
          end()
          reject(why)
        }
        const timer = setTimeout(() => fail(new Error(`no answer within ${limitMs / 1e3} s`)), limitMs)
        timer.unref()
        open.add(fail)
        put((error, value) => {
          if (error) return fail(error)
          end()
          resolve(value as T)
        })
      }),
    giveUp(why) {
      for (const fail of [...open]) fail(why)
    },
  }
}
