/** Node's own timer, which never holds the process. @returns forgets it */
export const timer = (delayMs: number, act: () => void): (() => void) => {
  const timeout = setTimeout(act, delayMs)
  timeout.unref()
  return () => clearTimeout(timeout)
}
