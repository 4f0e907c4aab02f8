/**
 * What a probe is: one question about the way to the hub, asked without a credential. To add one, write a file that exports
 * a `Probe`, and name it in probes.ts; an answer of a new shape is added to evidence/probe-answer.ts and evidence/probed.ts.
 */
import { isIP } from 'node:net'
import type { Clock } from '../../transports/clock.js'
import { flatten } from '../../transports/failure.js'
import type { Trust } from '../../transports/trust.js'
import type { Failure } from '../../transports/wire-event.js'
import type { ProbeAnswer } from '../evidence/probe-answer.js'
import type { Heard } from './heard.js'
import type { PlainAnswer } from './plain-http.js'

export type Probe = Readonly<{
  name: ProbeAnswer['probe']
  /**
   * Asks what the wire has not answered already, and tells each answer as it comes. Rejects only when `context.signal`
   * aborts: then nothing more is told.
   */
  run(context: ProbeContext, tell: (answer: ProbeAnswer) => void): Promise<void>
}>

/** Where the hub is reached, and how. */
export type Target = Readonly<{
  /** The hub's name, or its gateway's: what is dialled, looked up, and verified in TLS. */
  host: string
  /** That of the attempts. */
  port: number
  httpsPort: number
  /** All by which a hub can be reached, `port` among them. */
  ports: readonly number[]
  /** Through which the attempts go; then nothing else is asked beyond it. */
  proxy: Readonly<{ host: string; port: number }> | null
  /** Whether there is a proxy for anything here: then plain HTTP past it says nothing of portals. */
  hasProxy: boolean
  /** Without a client certificate. */
  trust: Trust
}>

type Around = Readonly<{
  heard: Heard
  /** Addresses at which a session was accepted, the newest first. */
  lastGood: readonly string[]
  control: Readonly<{ host: string; port: number }> | null
  controlName: string | null
  portal: Readonly<{ url: string; text: string | null }> | null
  clock: Clock
  /** `address` or `address:port`, as they are configured. */
  resolvers(): Promise<readonly string[]>
  /** By the host's own library. @throws NotAsked when there was no turn for it */
  lookup(name: string, signal: AbortSignal): Promise<readonly string[]>
  /** By one resolver. */
  ask(resolver: string, name: string, signal: AbortSignal): Promise<readonly string[]>
  /** Asked once, however many probes look at it. */
  get(url: string): Promise<Asked<PlainAnswer> | null>
  /** `/proc`; another place in tests. */
  procRoot: string
  /** Of one question. */
  limitMs: number
  signal: AbortSignal
}>

export type ProbeContext = Omit<Target, 'hasProxy'> & Around

export type Asked<T> = Readonly<{ askedMs: number; tookMs: number; error: Failure | null; found: T | null }>

/** The question was never put, so that there is no answer, not even a bad one. */
export class NotAsked extends Error {
  override readonly name = 'NotAsked'
}

/**
 * Asks one question within its limit.
 *
 * @returns `null` where it was not put after all
 * @throws the reason of `context.signal`
 */
export async function ask<T>(
  { clock, limitMs, signal }: Pick<ProbeContext, 'clock' | 'limitMs' | 'signal'>,
  question: (signal: AbortSignal) => Promise<T>,
): Promise<Asked<T> | null> {
  signal.throwIfAborted()
  const asked = clock.now()
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), limitMs)
  const tookMs = (): number => Math.round((clock.now().monoMs - asked.monoMs) * 1e3) / 1e3
  try {
    const found = await question(AbortSignal.any([signal, limit.signal]))
    return { askedMs: asked.wallMs, tookMs: tookMs(), error: null, found }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NotAsked) return null
    const failure = limit.signal.aborted ? noAnswer(limitMs) : flatten(error)
    return { askedMs: asked.wallMs, tookMs: tookMs(), error: failure, found: null }
  } finally {
    clearTimeout(timer)
  }
}

const noAnswer = (limitMs: number): Failure => ({
  name: 'ProbeError',
  code: 'ETIMEDOUT',
  message: `no answer within ${limitMs} ms`,
})

/** An address is what it is, without a question to anybody. */
export async function addressOf({ lookup }: ProbeContext, host: string, signal: AbortSignal): Promise<string> {
  if (isIP(host) !== 0) return host
  const [first] = await lookup(host, signal)
  if (first === undefined) throw Object.assign(new Error(`no address for ${host}`), { code: 'ENODATA' })
  return first
}

/** Without what came of it beyond its error. */
export const common = ({ askedMs, tookMs, error }: Asked<unknown>) => ({ askedMs, tookMs, error })
