/** Errors that nobody caught. */

/** What nobody caught ends the run, but not before it is in the ring. */
export function watchForCrash(): { happened: Promise<never>; forget(): void } {
  let reject: (error: unknown) => void = () => undefined
  const happened = new Promise<never>((_resolve, fail) => {
    reject = fail
  })
  const events = ['uncaughtException', 'unhandledRejection'] as const
  for (const event of events) process.on(event, reject)
  return {
    happened,
    forget: () => {
      for (const event of events) process.off(event, reject)
    },
  }
}
