/** Network interfaces: whether the link is up, which addresses it has, what went through, how strong the radio is. */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { fieldsOf, readText, toInteger } from './files.js'
import type { Reading } from './reading.js'

/** A gateway full of containers has hundreds; the real ones come first, in the order they appeared. */
const interfacesMax = 16
const addressesMax = 8

/** Status, three of quality, five of discarded packets, missed beacons. */
const wirelessColumns = 10

/** Since the interface appeared. */
export type Counters = Readonly<{
  rxBytes: number
  rxPackets: number
  rxErrors: number
  rxDropped: number
  txBytes: number
  txPackets: number
  txErrors: number
  txDropped: number
}>

export type Wireless = Readonly<{ quality: number; signalDbm: number | null; noiseDbm: number | null }>

/** Those that no packet for the hub leaves by, and that come and go with containers: of them only the counters are read. */
export const isInternal = (name: string): boolean => /^(?:lo$|veth|docker|br-|virbr|cni|flannel|vnet|dummy)/.test(name)

export const interfaces: Reading = {
  name: 'interfaces',
  async read({ procRoot, sysRoot }) {
    const [devices, wireless] = await Promise.all([
      readText(join(procRoot, 'net/dev')),
      readText(join(procRoot, 'net/wireless')),
    ])
    if (devices === null) return null
    const radios = parseWireless(wireless ?? '')
    const addresses = ownAddresses()
    const all = [...parseDevices(devices)]
    const shown = all.slice(0, interfacesMax).map(async ([name, counters]) => {
      const [operstate = null, carrier = null, carrierChanges = null] = isInternal(name)
        ? []
        : await Promise.all(
            ['operstate', 'carrier', 'carrier_changes'].map(file => readText(join(sysRoot, 'class/net', name, file))),
          )
      const state = {
        operstate: operstate?.trim().slice(0, 32) ?? null,
        carrier: toInteger(carrier),
        carrierChanges: toInteger(carrierChanges),
        addresses: (addresses.get(name) ?? []).slice(0, addressesMax).map(({ address }) => address),
        wireless: radios.get(name) ?? null,
        ...counters,
      }
      return [name, state] as const
    })
    return { byName: Object.fromEntries(await Promise.all(shown)), omitted: Math.max(0, all.length - interfacesMax) }
  },
}

/**
 * Of the same, what two files tell of all interfaces together, for samples that come every second. One that never moved a
 * packet is left out.
 */
export const traffic: Reading = {
  name: 'interfaces',
  async read({ procRoot }) {
    const [devices, wireless] = await Promise.all([
      readText(join(procRoot, 'net/dev')),
      readText(join(procRoot, 'net/wireless')),
    ])
    if (devices === null) return null
    const radios = parseWireless(wireless ?? '')
    const all = [...parseDevices(devices)].filter(([, { rxPackets, txPackets }]) => rxPackets + txPackets > 0)
    const shown = all
      .slice(0, interfacesMax)
      .map(([name, counters]) => [name, { wireless: radios.get(name) ?? null, ...counters }] as const)
    return { byName: Object.fromEntries(shown), omitted: Math.max(0, all.length - interfacesMax) }
  },
}

/** /proc/net/dev. */
export function parseDevices(text: string): Map<string, Counters> {
  return new Map(
    table(text).flatMap(([name, cells]) => {
      const [rxBytes, rxPackets, rxErrors, rxDropped] = cells.slice(0, 4).map(toInteger)
      const [txBytes, txPackets, txErrors, txDropped] = cells.slice(8, 12).map(toInteger)
      const counters = { rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }
      return isComplete(counters) ? [[name, counters] as const] : []
    }),
  )
}

/** /proc/net/wireless; empty where there is no Wi-Fi. */
export function parseWireless(text: string): Map<string, Wireless> {
  return new Map(
    table(text).flatMap(([name, cells]) => {
      // A dot after a number says that the driver updated it.
      const [quality, level, noise] = cells.slice(1, 4).map(cell => toInteger(cell.replace(/\.$/, '')))
      if (quality == null || cells.length < wirelessColumns) return []
      return [[name, { quality, signalDbm: toDbm(level), noiseDbm: toDbm(noise) }] as const]
    }),
  )
}

/** Lines of `name: cell cell`; those of the heading have no colon. The kernel allows no slash in a name. */
function table(text: string): (readonly [name: string, cells: string[]])[] {
  return text.split('\n').flatMap(line => {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim()
    return /^(?!\.{1,2}$)[^/\s]{1,15}$/.test(name) ? [[name, fieldsOf(line.slice(colon + 1))] as const] : []
  })
}

function isComplete<K extends string>(values: Record<K, number | null | undefined>): values is Record<K, number> {
  return Object.values(values).every(value => typeof value === 'number')
}

/** Older drivers write the byte without its sign; -256 is the kernel's word for unknown. */
function toDbm(level: number | null | undefined): number | null {
  if (level == null || level <= -256) return null
  return level > 63 ? level - 256 : level
}

/** Nothing where the service is denied netlink sockets. */
function ownAddresses(): Map<string, NetworkInterfaceInfo[] | undefined> {
  try {
    return new Map(Object.entries(networkInterfaces()))
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return new Map()
    throw error
  }
}
