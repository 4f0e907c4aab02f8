/** Checks of doctor as a gateway's person meets them: a real configuration file, real sockets, and whatever a story changes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Answer, Check } from '../../agent/doctor/check.js'
import { checks } from '../../agent/doctor/checks.js'
import { createFacts, type Facts, type FactsOptions, loaded } from '../../agent/doctor/facts.js'
import { runDoctor } from '../../agent/doctor/run.js'
import type { Hub } from '../hub/hub.js'

export type Story = Partial<Omit<FactsOptions, 'config' | 'signal'>> &
  Readonly<{
    /** Beside `stateDir`, which is a directory of its own. */
    config?: Readonly<Record<string, unknown>>
    connectionString?: string
    /** Files of the host, by paths such as `proc/net/route`: where there are any, all of it is read there. */
    files?: Readonly<Record<string, string>>
    /** In place of what would be found out. */
    instead?: (facts: Facts) => Partial<Facts>
    limitMs?: number
  }>

/** A hub that nobody has. */
export const nobodysHub = `HostName=hub.example;DeviceId=pump;SharedAccessKey=${Buffer.alloc(32, 7).toString('base64')}`

/** How a hub's device is reached by all protocols through one door. */
export const throughDoor = (hub: Hub, port: number, more: Readonly<Record<string, unknown>> = {}) => ({
  connection: {
    ports: { mqtt: port, amqp: port, https: port },
    caFile: hub.caFile,
    knownRootsFile: hub.caFile,
    ...more,
  },
})

/** @returns the answer of one check, after all that it needs was asked too */
export async function examine(id: string, story: Story = {}): Promise<Answer> {
  const all = await examineAll(needed(id), story)
  const found = all.get(id)
  if (found === undefined) throw new Error(`there is no check ${id}`)
  return found
}

export async function examineAll(which: readonly Check[], story: Story = {}): Promise<ReadonlyMap<string, Answer>> {
  const { config = {}, connectionString = nobodysHub, files, instead, limitMs, env, ...options } = story
  const dir = mkdtempSync(join(tmpdir(), 'doctor-'))
  try {
    const { probes, ...rest } = config as { probes?: object }
    const configFile = join(dir, 'config.json')
    const quiet = { controlName: null, portalUrl: null, ...probes }
    const places = { stateDir: 'state', controlSocket: 'control.sock', ingestSocket: 'ingest.sock' }
    writeFileSync(configFile, JSON.stringify({ ...places, ...rest, probes: quiet }))
    const roots = files === undefined ? {} : placed(dir, files)
    const whole = { HUBREC_CONNECTION_STRING: connectionString, ...env }
    const facts = createFacts({
      config: () => loaded({ file: configFile, env: whole }),
      env: whole,
      protocol: undefined,
      mayDisconnect: false,
      signal: new AbortController().signal,
      ...roots,
      ...options,
    })
    const all = await runDoctor({
      facts: { ...facts, ...instead?.(facts) },
      checks: which,
      signal: new AbortController().signal,
      ...(limitMs === undefined ? {} : { limitMs }),
    })
    return new Map(all.map(({ check, answer }) => [check.id, answer]))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function placed(dir: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return {
    procRoot: join(dir, 'proc'),
    sysRoot: join(dir, 'sys'),
    etcRoot: join(dir, 'etc'),
    runRoot: join(dir, 'run'),
  }
}

function needed(id: string, seen: ReadonlySet<string> = new Set()): readonly Check[] {
  const wanted = new Set(seen)
  const add = (name: string): void => {
    if (wanted.has(name)) return
    wanted.add(name)
    for (const need of checks.find(check => check.id === name)?.needs ?? []) add(need)
  }
  add(id)
  return checks.filter(check => wanted.has(check.id))
}

/** `result: found`, without what differs from run to run. */
export const brief = ({ result, found }: Answer): string =>
  `${result}: ${found.replace(/\b\d+(?:\.\d+)? ms\b/g, 'N ms').replace(/\/tmp\/doctor-\w+\//g, '')}`
