/** All probes at once, within one limit: for an outage, and for whoever asks by hand. */
import { once } from 'node:events'
import { type Clock, systemClock } from '../../transports/clock.js'
import type { Config } from '../config/config.js'
import type { ProbeAnswer } from '../evidence/probe-answer.js'
import { resolvers as resolversReading } from '../evidence/samples/resolvers.js'
import { type Heard, nothingHeard } from './heard.js'
import { askResolver, createSystemLookup, type SystemLookup } from './names.js'
import { type PlainAnswer, plainGet } from './plain-http.js'
import { type Asked, addressOf, ask, type Probe, type ProbeContext, type Target } from './probe.js'
import { probes as allProbes } from './probes.js'

export type ProbesOptions = Readonly<{
  target: Target
  settings: Config['probes']
  signal: AbortSignal
  /** Default: nothing was heard, so everything is asked. */
  heard?: Heard
  lastGood?: readonly string[]
  lookup?: SystemLookup
  clock?: Clock
  probes?: readonly Probe[]
  procRoot?: string
  etcRoot?: string
  runRoot?: string
  /** Of one question, and of all. */
  limitMs?: number
  wholeLimitMs?: number
  /** A mistake of a probe's own costs its answers and nothing else. */
  onMistake?: (probe: string, error: unknown) => void
}>

const limitMsStandard = 5_000
const wholeLimitMsStandard = 10_000
const resolversMax = 4

/**
 * @returns what was answered within the limit, in the order of the list
 * @throws the signal's reason
 */
export async function runProbes(options: ProbesOptions): Promise<ProbeAnswer[]> {
  const { probes = allProbes, wholeLimitMs = wholeLimitMsStandard, onMistake, signal } = options
  signal.throwIfAborted()
  const whole = new AbortController()
  const timer = setTimeout(() => whole.abort(), wholeLimitMs)
  const context = contextOf(options, AbortSignal.any([signal, whole.signal]))
  // One that does not hear of the end must not hold up the others.
  const over = once(context.signal, 'abort')
  try {
    const answers = await Promise.all(
      probes.map(async probe => {
        const told: ProbeAnswer[] = []
        const running = probe
          .run(context, answer => told.push(answer))
          .catch((error: unknown) => {
            if (!context.signal.aborted) onMistake?.(probe.name, error)
          })
        await Promise.race([running, over])
        return told
      }),
    )
    signal.throwIfAborted()
    return answers.flat()
  } finally {
    clearTimeout(timer)
    // Whatever a probe has left open ends with the run.
    whole.abort()
  }
}

function contextOf(options: ProbesOptions, signal: AbortSignal): ProbeContext {
  const { target, settings, heard = nothingHeard, lastGood = [], lookup = createSystemLookup() } = options
  const { clock = systemClock(), procRoot = '/proc', etcRoot = '/etc', runRoot = '/run' } = options
  const { limitMs = limitMsStandard } = options
  const { hasProxy, ...where } = target
  const answers = new Map<string, Promise<Asked<PlainAnswer> | null>>()
  const get = async (url: string): Promise<Asked<PlainAnswer> | null> =>
    ask(context, async signal => {
      const parsed = new URL(url)
      const address = await addressOf(context, parsed.hostname.replace(/^\[|\]$/g, ''), signal)
      return plainGet(parsed, address, () => clock.now().wallMs, signal)
    })
  const context: ProbeContext = {
    ...where,
    heard,
    lastGood,
    control: settings.controlHost === null ? null : hostAndPort(settings.controlHost),
    controlName: settings.controlName,
    portal: settings.portalUrl === null || hasProxy ? null : { url: settings.portalUrl, text: settings.portalText },
    clock,
    resolvers: async () => settings.resolvers ?? readResolvers(etcRoot, runRoot),
    lookup,
    ask: askResolver,
    get(url) {
      const known = answers.get(url) ?? get(url)
      answers.set(url, known)
      return known
    },
    procRoot,
    limitMs,
    signal,
  }
  return context
}

function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

/** Where a stub stands before the others, it is asked beside them: it may be the one that does not answer. */
async function readResolvers(etcRoot: string, runRoot: string): Promise<readonly string[]> {
  const found = await resolversReading.read({ etcRoot, runRoot })
  return [...new Set([...(found?.nameservers ?? []), ...(found?.uplinks ?? [])])].slice(0, resolversMax)
}
