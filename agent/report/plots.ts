/** What of a sample is plotted. To plot another reading, add a line here; page/plots.ts shows whatever plots there are. */
import type { LogRecord } from '../evidence/record.js'
import type { Series } from './report.js'
import { Readings } from './series.js'

type Reading = Readonly<{ name: string; title: string; value: unknown }>

type Plot = Readonly<{ plot: string; unit: Series['unit']; readings(data: Data): readonly Reading[] }>

/** What a host has many of (radios, zones) is shown of a few. */
const seriesMax = 16

const plots: readonly Plot[] = [
  {
    plot: 'rtt',
    unit: 'ms',
    readings: data => [
      { name: 'tcp', title: 'TCP round trip to the hub', value: at(data, 'tcp', 'rttMs') },
      { name: 'ping', title: 'Keepalive ping to the hub', value: at(data, 'pong', 'rttMs') },
    ],
  },
  {
    plot: 'signal',
    unit: 'dBm',
    readings: data =>
      entriesOf(at(data, 'interfaces', 'byName')).map(([name, link]) => ({
        name,
        title: `Wi-Fi signal of ${name} (RSSI)`,
        value: at(link, 'wireless', 'signalDbm'),
      })),
  },
  {
    plot: 'retransmits',
    unit: 'segments',
    readings: data => [
      {
        name: 'tcp',
        title: 'TCP segments repeated, since the connection was made',
        value: at(data, 'tcp', 'retransmitted'),
      },
    ],
  },
  {
    plot: 'memory',
    unit: 'bytes',
    readings: data => [
      { name: 'available', title: 'Memory that the host has left', value: at(data, 'memory', 'availableBytes') },
      { name: 'own', title: 'Memory that hubrec takes', value: at(data, 'memory', 'own', 'rssBytes') },
    ],
  },
  {
    plot: 'temperature',
    unit: '°C',
    readings: data =>
      listOf(at(data, 'temperature', 'zones')).map(zone => ({
        name: String(at(zone, 'zone')),
        title: `Temperature, ${at(zone, 'type') ?? at(zone, 'zone')}`,
        value: at(zone, 'celsius'),
      })),
  },
  {
    plot: 'disk',
    unit: 'bytes',
    readings: data => [{ name: 'free', title: 'Room on the disk of the ring', value: at(data, 'disk', 'freeBytes') }],
  },
]

export class Plotted {
  readonly #series = new Map<string, Readings>()
  readonly #leftOut = new Set<string>()

  /** @param record redacted */
  add({ type, at, data }: Pick<LogRecord, 'type' | 'at' | 'data'>): void {
    // Of a sample, or of the one event that is a reading too.
    const readings = type === 'sample' ? data : data.type === 'pongReceived' ? { pong: data } : null
    if (readings === null) return
    for (const plot of plots) {
      for (const reading of plot.readings(readings)) this.#addReading(plot, reading, Date.parse(at))
    }
  }

  get all(): readonly Readings[] {
    return [...this.#series.values()].sort((a, b) => orderOf(a) - orderOf(b))
  }

  get leftOut(): number {
    return this.#leftOut.size
  }

  #addReading({ plot, unit }: Plot, { name, title, value }: Reading, atMs: number): void {
    if (typeof value !== 'number' || !Number.isFinite(value)) return
    const full = `${plot}.${name}`
    let series = this.#series.get(full)
    if (!series) {
      if (this.#series.size >= seriesMax) {
        if (this.#leftOut.size < 1_000) this.#leftOut.add(full)
        return
      }
      series = new Readings({ name: full, plot, title, unit })
      this.#series.set(full, series)
    }
    series.add(atMs, value)
  }
}

const orderOf = ({ about }: Readings): number => plots.findIndex(({ plot }) => plot === about.plot)

type Data = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Data => typeof value === 'object' && value !== null

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : null), value)
}

const entriesOf = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : [])

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
