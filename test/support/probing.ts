/** One probe against real sockets on loopback, with whatever a story changes. */

import type { Config } from '../../agent/config/config.js'
import type { ProbeAnswer } from '../../agent/evidence/probe-answer.js'
import type { Probe, Target } from '../../agent/probes/probe.js'
import { type ProbesOptions, runProbes } from '../../agent/probes/run.js'
import { createTrust } from '../../transports/trust.js'

export const noTrust = createTrust(null, null)

/** A hub that nobody has: names lead where a story says, and nothing outside is asked. */
export const nowhere: Target = {
  host: 'hub.example',
  port: 1,
  httpsPort: 1,
  ports: [1],
  proxy: null,
  hasProxy: false,
  trust: noTrust,
}

export const nothingSet: Config['probes'] = {
  enabled: true,
  controlHost: null,
  controlName: null,
  portalUrl: null,
  portalText: null,
  resolvers: [],
}

export type Story = Readonly<{
  target?: Partial<Target>
  settings?: Partial<Config['probes']>
  /** What the host's own library finds. */
  names?: Readonly<Record<string, readonly string[]>>
}> &
  Partial<Omit<ProbesOptions, 'target' | 'settings' | 'probes'>>

/** The answers without their times, which no two runs share. */
export async function asked(probe: Probe, story: Story = {}): Promise<object[]> {
  return (await answersOf(probe, story)).map(({ askedMs: _, tookMs: __, ...answer }) => answer)
}

export function answersOf(probe: Probe, { target, settings, names = {}, ...rest }: Story = {}): Promise<ProbeAnswer[]> {
  return runProbes({
    signal: new AbortController().signal,
    lookup: async name => names[name] ?? Promise.reject(notFound(name)),
    onMistake: (_, error) => {
      throw error
    },
    ...rest,
    probes: [probe],
    target: { ...nowhere, ...target },
    settings: { ...nothingSet, ...settings },
  })
}

const notFound = (name: string): Error =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })

/** As `flatten` leaves it. */
export const nameNotFound = (name: string) => ({
  name: 'Error',
  message: `getaddrinfo ENOTFOUND ${name}`,
  code: 'ENOTFOUND',
  syscall: 'getaddrinfo',
})

export const refusedAt = (port: number, address = '127.0.0.1') => ({
  name: 'Error',
  message: `connect ECONNREFUSED ${address}:${port}`,
  code: 'ECONNREFUSED',
  syscall: 'connect',
  address: `${address}:${port}`,
})

export const silentFor = (limitMs: number) => ({
  name: 'ProbeError',
  code: 'ETIMEDOUT',
  message: `no answer within ${limitMs} ms`,
})
