/**
 * For applications in other languages: their sockets to the hub are looked at from outside, without a byte of theirs being
 * touched. Coarser than what an application records of itself, and said to be so.
 */
import dns from 'node:dns'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { levels } from '../evidence/record.js'
import type { Part } from '../run-together.js'
import { compareLooks, type Look, type WatchedChange } from './changes.js'
import { askForSockets, unitOf, type WatchedSocket } from './ss.js'

export type WatchOptions = Readonly<{
  /** Names or addresses. */
  hosts: readonly string[]
  nowMs(): number
  record(change: WatchedChange, level: number): void
  note(message: string, fields: Readonly<Record<string, unknown>>): void
  /** Default: 30 s, because each look is a process. */
  everyMs?: number
  lookup?: (host: string) => Promise<readonly string[]>
  ask?: (addresses: readonly string[]) => Promise<readonly WatchedSocket[]>
  ownInodes?: () => Promise<ReadonlySet<number>>
}>

export interface Watch {
  readonly part: Part
  /** Of the newest look, for `status`. */
  sockets(): readonly Readonly<{
    host: string
    unit: string | null
    state: string
    peer: string
    rttMs: number | null
  }>[]
}

const everyMsStandard = 30_000

/** A hub moves from address to address, and a session stays where it was opened. */
const addressesMax = 32

export function createWatch(options: WatchOptions): Watch {
  const { hosts, nowMs, record, note, everyMs = everyMsStandard } = options
  const { lookup = systemLookup, ask = askForSockets, ownInodes = inodesOfThisProcess } = options
  /** The newest last. */
  const hostOf = new Map<string, string>()
  let look: Look = new Map()
  let trouble: string | null = null

  const resolve = async (host: string): Promise<void> => {
    // A name that cannot be looked up is the outage that is watched for: the addresses from before are still good.
    const addresses = await lookup(host).catch(() => [])
    for (const address of addresses) {
      hostOf.delete(address)
      hostOf.set(address, host)
    }
    for (const address of hostOf.keys()) {
      if (hostOf.size <= addressesMax) break
      hostOf.delete(address)
    }
  }

  const lookOnce = async (): Promise<void> => {
    await Promise.all(hosts.map(resolve))
    const [sockets, own] = await Promise.all([ask([...hostOf.keys()]), ownInodes()])
    const others = sockets.filter(({ inode }) => !own.has(inode))
    const next = compareLooks(look, others, address => hostOf.get(address) ?? null, nowMs(), everyMs)
    look = next.look
    for (const change of next.changes) record(change, change.what === 'retransmitting' ? levels.warn : levels.info)
  }

  return {
    part: {
      name: 'watch',
      async run(signal) {
        for (;;) {
          try {
            await lookOnce()
            if (trouble !== null) note('sockets can be watched again', {})
            trouble = null
          } catch (error) {
            const { code, message } = error as NodeJS.ErrnoException
            const why = String(code ?? message).slice(0, 200)
            if (why !== trouble) note('sockets cannot be watched', { why })
            trouble = why
          }
          await sleep(everyMs, undefined, { signal })
        }
      },
    },
    sockets: () =>
      [...look.values()].map(({ socket: { peer, state, rttMs, cgroup } }) => ({
        host: hostOf.get(peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, '')) ?? peer,
        unit: unitOf(cgroup),
        state,
        peer,
        rttMs,
      })),
  }
}

async function systemLookup(host: string): Promise<string[]> {
  const found = await dns.promises.lookup(host, { all: true })
  return found.map(({ address }) => address)
}

/** The daemon's own connection is told in full elsewhere. */
async function inodesOfThisProcess(): Promise<ReadonlySet<number>> {
  const dir = '/proc/self/fd'
  const names = await readdir(dir).catch(() => [])
  const targets = await Promise.all(names.map(name => readlink(join(dir, name)).catch(() => '')))
  return new Set(targets.flatMap(target => Number(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [])))
}
