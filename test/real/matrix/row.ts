/** The words in which the fault matrix is written. What hubrec thinks of a fault is no part of it. */
import type { Protocol } from '../../../transports/wire-event.js'
import type { Device } from './device.js'

/** From the first connection on, or in a session that is up. */
export type When = 'first' | 'later'

/**
 * What is done to a device, and the truth about it.
 *
 * - `lasts`: it is healed once the device has tried twice, asked around and judged
 * - `passes`: it ends a session and is over; the device comes back by itself
 * - `stays`: nothing heals it while the process lives
 */
export type Fault = Readonly<{
  name: string
  kind: 'lasts' | 'passes' | 'stays'
  /** The causes that it may be called, written down before any rule has seen it: one, unless the wire cannot tell them apart. */
  truth: readonly string[]
  /** Of the device's configuration. */
  connection?: Readonly<Record<string, unknown>>
  /** The wire shows nothing of it until the next packet goes out, at the latest a keepalive's. */
  waitsForPacket?: true
  /** What the stock application cannot be put through: it has no such setting, or it is the daemon that it is about. */
  hubrecOnly?: true
  /** How many ends are waited for where nothing is asked around, because every attempt gets in. */
  ends?: number
  /** Before the device starts, whenever the fault comes. */
  prepare?(device: Device): Promise<void> | void
  begin(device: Device): Promise<void> | void
  heal?(device: Device): Promise<void> | void
}>

export type Row = Readonly<{ fault: Fault; protocol: Protocol; when: When }>

export const nameOf = ({ fault, protocol, when }: Row): string =>
  `${fault.name}, ${protocol}, ${when === 'first' ? 'first connection' : 'in a session'}`

/** For file names. */
export const slugOf = (row: Row): string =>
  nameOf(row)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')

/** Each of the protocols with the moments that are named: `first`, `later` or both. */
export function rowsOf(fault: Fault, where: Readonly<Partial<Record<Protocol, When | 'both'>>>): Row[] {
  return (Object.entries(where) as [Protocol, When | 'both'][]).flatMap(([protocol, moment]) =>
    (moment === 'both' ? (['first', 'later'] as const) : [moment]).map(when => ({ fault, protocol, when })),
  )
}
