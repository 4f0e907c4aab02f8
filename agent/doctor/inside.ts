/** Doctor inside the daemon: one run at a time, whoever asks, and what the daemon knows of itself is not asked over a socket. */
import type { Secrets } from '../../transports/secrets.js'
import type { Config } from '../config/config.js'
import type { Status } from '../status.js'
import { checks } from './checks.js'
import { createFacts } from './facts.js'
import { runDoctor } from './run.js'
import { type Report, reportOf } from './tell.js'

export type InsideOptions = Readonly<{
  /** As it is now. */
  config(): Config
  env: NodeJS.ProcessEnv
  /** Of the daemon: what is read here is kept out of what it tells, too. */
  secrets: Secrets
  signal: AbortSignal
  status(): Promise<Status>
  /** What the daemon answers to this question of its control socket. */
  ask(question: string): Promise<unknown>
}>

/** A direct method is waited for by its caller for 30 s, and the way there and back takes its part. */
const wholeLimitMs = 20_000

export function createDoctorInside({
  config,
  env,
  secrets,
  signal,
  status,
  ask,
}: InsideOptions): () => Promise<Report> {
  let running: Promise<Report> | null = null
  const run = async (): Promise<Report> => {
    const facts = createFacts({
      config: async () => ({ config: config(), from: 'as the recorder has read it at its start', file: null }),
      secrets,
      env,
      protocol: undefined,
      mayDisconnect: false,
      isDaemon: true,
      signal,
    })
    const all = await runDoctor({ facts: { ...facts, daemon: status, ask }, checks, signal, wholeLimitMs })
    return reportOf(all)
  }
  return () => {
    running ??= run().finally(() => {
      running = null
    })
    return running
  }
}
