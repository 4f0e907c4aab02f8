/** Whether the default gateway is there on the link, by the kernel's own table of neighbours: nobody needs a privilege for it. */
import { execFile } from 'node:child_process'
import dgram from 'node:dgram'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childEnvironment } from '../child-environment.js'
import { fieldsOf, readText } from '../evidence/samples/files.js'
import { parseRoutes4, parseRoutes6 } from '../evidence/samples/routes.js'
import { ask, common, NotAsked, type Probe } from './probe.js'

export const gateway: Probe = {
  name: 'gateway',
  async run(context, tell) {
    const { host, lastGood, heard, procRoot, signal } = context
    // A hub on this host, as an Edge gateway may be, is reached without one.
    if ([host, ...(heard.addresses ?? []), ...lastGood].some(isOwn)) return
    const route = await defaultRoute(procRoot)
    if (route === null) return
    const { address, interface: name } = route
    signal.throwIfAborted()
    const asked = await ask(context, signal => lookFor(route, procRoot, signal))
    if (asked === null) return
    const error = asked.found === 'missing' ? silent(address, name) : asked.error
    tell({ probe: 'gateway', ...common(asked), error, address, interface: name })
  },
}

const isOwn = (address: string): boolean => /^(?:127\.|::1$|localhost$)/.test(address)

type Route = Readonly<{ address: string; interface: string }>

async function defaultRoute(procRoot: string): Promise<Route | null> {
  const [v4, v6] = await Promise.all([
    readText(join(procRoot, 'net/route')),
    readText(join(procRoot, 'net/ipv6_route')),
  ])
  const [preferred] = [...parseRoutes4(v4 ?? ''), ...parseRoutes6(v6 ?? '')]
  // Point to point there is nobody in between.
  return preferred?.gateway ? { address: preferred.gateway, interface: preferred.interface } : null
}

type Presence = 'there' | 'missing'

/** A neighbour that the kernel does not know yet is asked for as soon as there is something to send to it. */
async function lookFor(route: Route, procRoot: string, signal: AbortSignal): Promise<Presence> {
  let last: Presence | null = await look(route, procRoot)
  if (last === 'there') return last
  await nudge(route)
  const { times, everyMs } = isIPv4(route.address) ? looks4 : looks6
  for (let tries = 0; tries < times; tries++) {
    await sleep(everyMs, undefined, { signal })
    last = await look(route, procRoot)
    if (last === 'there') return last
  }
  if (last === null) throw new NotAsked()
  return last
}

/** The kernel gives a neighbour up after three questions, one a second. A look at IPv6's is a process. */
const looks4 = { times: 12, everyMs: 300 }
const looks6 = { times: 2, everyMs: 1_800 }

const look = ({ address, interface: name }: Route, procRoot: string): Promise<Presence | null> =>
  isIPv4(address) ? lookInArp(address, name, procRoot) : lookInNeighbours(address, name)

async function lookInArp(address: string, name: string, procRoot: string): Promise<Presence | null> {
  return presenceInArp((await readText(join(procRoot, 'net/arp'))) ?? '', address, name)
}

/** The kernel's flag of an entry with a hardware address: those it had and could not confirm lose it. */
const complete = 0x2

/** /proc/net/arp. */
export function presenceInArp(table: string, address: string, name: string): Presence | null {
  const entry = table
    .split('\n')
    .map(fieldsOf)
    .find(fields => fields[0] === address && fields[5] === name)
  if (entry === undefined) return null
  return (Number(entry[2]) & complete) !== 0 ? 'there' : 'missing'
}

/** IPv6 has no such file, so the one who can ask the kernel is asked; where there is no `ip`, nobody knows. */
function lookInNeighbours(address: string, name: string): Promise<Presence | null> {
  return new Promise(resolve => {
    execFile(
      'ip',
      ['-6', 'neigh', 'show', 'to', address, 'dev', name],
      { timeout: 1_000, env: childEnvironment() },
      (error, stdout) => {
        resolve(error === null ? presenceInNeighbours(stdout) : null)
      },
    )
  })
}

/** `ip neigh` says the state last, in capitals. */
export function presenceInNeighbours(text: string): Presence | null {
  const state = /\b(REACHABLE|STALE|DELAY|PROBE|PERMANENT|NOARP|INCOMPLETE|FAILED)\b/.exec(text)?.[1]
  if (state === undefined) return null
  return state === 'INCOMPLETE' || state === 'FAILED' ? 'missing' : 'there'
}

/** The discard port: whether anybody takes it there does not matter. */
const discardPort = 9

async function nudge({ address, interface: name }: Route): Promise<void> {
  const isV4 = isIPv4(address)
  const socket = dgram.createSocket(isV4 ? 'udp4' : 'udp6')
  const scoped = /^fe80:/i.test(address) ? `${address}%${name}` : address
  await new Promise<void>(resolve => {
    socket.once('error', () => resolve())
    socket.send('', discardPort, scoped, () => resolve())
  })
  socket.close()
}

const silent = (address: string, name: string) => ({
  name: 'ProbeError',
  code: 'EHOSTUNREACH',
  message: `the gateway ${address} does not answer on ${name}`,
})
