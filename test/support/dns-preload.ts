/**
 * Loaded with `node --import`: names of IoT hubs are asked of the name server in HUBREC_TEST_NAME_SERVER
 * (`127.0.0.1:port`), with real packets, wherever this process would have asked the system's resolver. All other names
 * stay with the system. Failures look like getaddrinfo's.
 */

import dns, { type LookupAddress, type LookupOptions } from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'

type Callback = (error: NodeJS.ErrnoException | null, address?: string | LookupAddress[], family?: number) => void

const server = process.env.HUBREC_TEST_NAME_SERVER
if (server === undefined) throw new Error('HUBREC_TEST_NAME_SERVER is not set')

const resolver = new dns.promises.Resolver({ timeout: 2_000, tries: 1 })
resolver.setServers([server])

const system = { lookup: dns.lookup, promise: dns.promises.lookup }
const isHub = (hostname: string): boolean => /\.azure-devices\.net\.?$/i.test(hostname)

/** Both families where both are asked for; an empty answer of one is no failure while the other has any. */
async function find(hostname: string, family: number): Promise<LookupAddress[]> {
  const asked = [
    ...(family === 6 ? [] : [{ family: 4, answer: resolver.resolve4(hostname) }]),
    ...(family === 4 ? [] : [{ family: 6, answer: resolver.resolve6(hostname) }]),
  ]
  const answers = await Promise.allSettled(asked.map(({ answer }) => answer))
  const found = answers.flatMap((answer, i) =>
    answer.status === 'fulfilled' ? answer.value.map(address => ({ address, family: asked[i]!.family })) : [],
  )
  if (found.length > 0) return found
  const failed = answers.find(answer => answer.status === 'rejected')
  throw asGetaddrinfo(failed?.reason, hostname)
}

/** A resolver says what the server answered; getaddrinfo only whether asking again may help. */
function asGetaddrinfo(reason: unknown, hostname: string): NodeJS.ErrnoException {
  const { code } = (reason ?? { code: 'ENODATA' }) as NodeJS.ErrnoException
  const denied = code === 'ENOTFOUND' || code === 'ENODATA'
  const [name, errno] = denied ? ['ENOTFOUND', -3008] : ['EAI_AGAIN', -3001]
  return Object.assign(new Error(`getaddrinfo ${name} ${hostname}`), {
    errno,
    code: name,
    syscall: 'getaddrinfo',
    hostname,
  } as const)
}

const familyOf = (options: LookupOptions): number =>
  options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0)

const normalise = (options: number | LookupOptions | undefined): LookupOptions =>
  typeof options === 'number' ? { family: options } : (options ?? {})

function lookup(hostname: string, second: number | LookupOptions | Callback, third?: Callback): void {
  const options = typeof second === 'function' ? {} : normalise(second)
  const done = (typeof second === 'function' ? second : third)!
  if (!isHub(hostname)) {
    system.lookup(hostname, options, done)
    return
  }
  find(hostname, familyOf(options)).then(
    found => (options.all ? done(null, found) : done(null, found[0]!.address, found[0]!.family)),
    error => done(error),
  )
}

async function lookupPromise(
  hostname: string,
  given?: number | LookupOptions,
): Promise<LookupAddress | LookupAddress[]> {
  const options = normalise(given)
  if (!isHub(hostname)) return system.promise(hostname, options)
  const found = await find(hostname, familyOf(options))
  return options.all ? found : found[0]!
}

Object.assign(dns, { lookup: Object.assign(lookup, { [promisify.custom]: lookupPromise }) })
Object.assign(dns.promises, { lookup: lookupPromise })
syncBuiltinESMExports()
