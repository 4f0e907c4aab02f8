/** Who is asked for names: the host's own library, one question at a time, and single resolvers. */
import dns from 'node:dns'
import { NotAsked } from './probe.js'

export type SystemLookup = (name: string, signal: AbortSignal) => Promise<readonly string[]>

type Find = (name: string) => Promise<readonly string[]>

/**
 * The library's call cannot be cut short, and each one that hangs holds one of the four threads that files need too. So
 * only one runs at a time, and whoever asks for the name that is being asked for gets its answer.
 */
export function createSystemLookup(find: Find = systemFind): SystemLookup {
  let running: Readonly<{ name: string; answer: Promise<readonly string[]> }> | null = null

  return async (name, signal) => {
    while (running !== null && running.name !== name) await settled(running.answer, signal)
    if (signal.aborted) throw new NotAsked()
    if (running === null) {
      const answer = find(name).finally(() => {
        running = null
      })
      running = { name, answer }
    }
    return until(running.answer, signal)
  }
}

async function settled(answer: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const ended = answer.then(
    () => undefined,
    () => undefined,
  )
  await until(ended, signal).catch(() => {
    throw new NotAsked()
  })
}

/** The answer, or the signal's reason, whichever comes first. */
function until<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

const systemFind: Find = async name => {
  const found = await dns.promises.lookup(name, { all: true })
  return found.map(({ address }) => address)
}

/** A lost packet is sent once more, within the limit of a question. */
const resolverOptions = { timeout: 1_500, tries: 2 }

/** Asks a resolver itself, past the host's own library, its cache and its list of hosts. */
export async function askResolver(server: string, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const resolver = new dns.promises.Resolver(resolverOptions)
  resolver.setServers([server])
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const failed = answers.find(answer => answer.status === 'rejected')
    if (found.length === 0 && failed) throw failed.reason
    return found
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
