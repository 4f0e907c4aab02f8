/**
 * Applications and their connections: what each tells goes into the pipeline under a name of its own, and the end of an
 * application is told for it where it could not do so.
 */
import type { Clock, Instant } from '../../transports/clock.js'
import type { WireEvent } from '../../transports/wire-event.js'
import type { Memory } from '../evidence/read.js'
import { levels } from '../evidence/record.js'
import type { Pipeline } from '../pipeline.js'
import type { SdkVersions } from '../sdk-versions.js'
import { admit, emptyLane, type Lane, type LeftBy, leftOpen } from './lane.js'
import {
  type Bye,
  type Hello,
  ingestVersion,
  isReserved,
  type Numbered,
  namePattern,
  type Resumed,
} from './messages.js'
import { processState } from './process-alive.js'
import { isRecorded, rememberApplication } from './remembered.js'

export type IntakeOptions = Readonly<{
  records: Pick<Pipeline, 'follow' | 'wire' | 'end' | 'record' | 'state'>
  clock: Clock
  memory: Memory
  /** For who reads the log: names and counts, never what an application told. */
  note(message: string, fields: Readonly<Record<string, unknown>>): void
  isThere?: (hello: Hello) => 'alive' | 'gone' | 'unknown'
}>

export interface Intake {
  /** @returns a word of why not, or where to put what this application tells from now on */
  welcome(hello: Hello): Application | string
  /** Asks after the applications that are no longer connected. Call it now and then. */
  lookAfter(): void
  /** The connections of applications, for `status`. */
  connections(): readonly ApplicationConnection[]
}

export interface Application {
  readonly name: string
  resume(resumed: Resumed): void
  /** @returns the greatest number that has been taken so far */
  take(message: Numbered): number
  /** So many messages of it were not taken. */
  lost(count: number): void
  bye(bye: Bye): void
  /** Its socket is gone; it may come back with another. */
  disconnected(): void
}

/** `sdk`: its packages, where it has said them. */
export type ApplicationConnection = Readonly<{ conn: string; name: string; pid: number; sdk: SdkVersions | null }>

/** Of one host; a name costs memory for as long as the daemon runs. */
const connectionsMax = 64
const lanesMax = 8

/** Events are dated by the host's clock; one from the future would hold back all that follow. */
const futureMs = 1_000

/** A live application finds the daemon again sooner than this. */
const unknownMs = 60_000

/** Namespaces may have a clock of their own; a smaller difference is the time the greeting took. */
const clockShiftMs = 30_000

type LaneOf = { conn: string; lane: Lane; inc: number; theirInc: number }

type Known = {
  hello: Hello
  lanes: Map<number, LaneOf>
  lastN: number
  shiftMs: number
  refused: number
  /** Its sockets: a new one may come before the end of the old one is seen. */
  sockets: number
  lastSeen: Instant
}

export function createIntake({ records, clock, memory, note, isThere = processState }: IntakeOptions): Intake {
  const known = new Map<string, Known>()
  /** Whose connection it is, or was last. */
  const owners = new Map<string, Known>()
  let inc = memory.nextInc - 1

  const keyOf = ({ name, pid, pidNamespace, startTicks }: Hello): string =>
    [name, pid, pidNamespace, startTicks].join('/')

  /** A name that another live process has goes with the pid. */
  const claim = (application: Known, wanted: string): string | null => {
    const { pid } = application.hello
    for (const conn of [wanted, `${wanted}.${pid}`]) {
      const owner = owners.get(conn)
      const isLive = owner !== undefined && known.get(keyOf(owner.hello)) === owner
      if (isLive && [...owner.lanes.values()].some(lane => lane.conn === conn)) continue
      if (owner === undefined && owners.size >= connectionsMax) return null
      owners.set(conn, application)
      return conn
    }
    return null
  }

  const instantOf = ({ shiftMs }: Known, toldMs: number): Instant => {
    const now = clock.now()
    const monoMs = Math.min(now.monoMs, toldMs + shiftMs)
    const agoMs = now.monoMs - monoMs
    return { wallMs: now.wallMs - agoMs, monoMs, bootMs: now.bootMs - agoMs }
  }

  /** A lane's connection, made when its first attempt begins. */
  const laneOf = (application: Known, number: number, event: WireEvent): LaneOf | null => {
    const found = application.lanes.get(number)
    if (found) return found
    if (application.lanes.size >= lanesMax) return null
    const first = application.lanes.get(1)?.conn ?? application.hello.name
    const conn = claim(application, number === 1 ? first : `${first}.${number}`)
    if (conn === null) return null
    const lane: LaneOf = { conn, lane: emptyLane, inc: 0, theirInc: 0 }
    application.lanes.set(number, lane)
    if (records.state(conn) === null) {
      const now = instantOf(application, event.monoMs)
      records.follow(rememberApplication(memory, { conn, protocol: event.protocol, now, bootId: clock.bootId }))
    }
    return lane
  }

  const put = (application: Known, lane: LaneOf, event: WireEvent, theirInc: number, wasRecorded: boolean): boolean => {
    if (event.monoMs + application.shiftMs > clock.now().monoMs + futureMs) return false
    const admitted = admit(lane.lane, event)
    if (!admitted) return false
    if (lane.theirInc !== theirInc) {
      inc += 1
      lane.theirInc = theirInc
      lane.inc = inc
    }
    lane.lane = admitted.lane
    for (const each of admitted.events) {
      const at = instantOf(application, each.monoMs)
      // One clock for all that is in the ring.
      records.wire(lane.conn, { ...each, monoMs: at.monoMs }, lane.inc, { at, isRecorded: wasRecorded })
    }
    return true
  }

  const lose = ({ hello, lanes }: Known, count: number): void => {
    const data = { reason: 'library', count, fromSeq: null, toSeq: null }
    void records.record('gap', data, levels.warn, lanes.get(1)?.conn ?? hello.name)
  }

  const refuse = (application: Known): void => {
    application.refused += 1
    if (application.refused > 1) return
    note('an application tells what cannot be', { name: application.hello.name, pid: application.hello.pid })
  }

  /** What it had open ends with it. */
  const end = (application: Known, how: Readonly<{ crashed: boolean; why: string }>, at: Instant): void => {
    known.delete(keyOf(application.hello))
    const ending = how.crashed
      ? ({ kind: 'crash', rebooted: false } as const)
      : ({ kind: 'goodbye', why: how.why } as const)
    const left: LeftBy = { by: 'application', how: how.crashed ? 'error' : 'goodbye', reason: null, error: null }
    for (const lane of application.lanes.values()) {
      const closed = leftOpen(lane.lane, at.monoMs - application.shiftMs, left)
      records.end(lane.conn, ending, at, closed && { ...closed, monoMs: at.monoMs })
    }
    const { name, pid } = application.hello
    note(how.crashed ? 'an application ended without a goodbye' : 'an application said goodbye', {
      name,
      pid,
      why: how.why,
    })
  }

  /** Ends the applications whose process is gone, or that nobody can ask after and that were away for so long. */
  const bury = (awayMs: number, name?: string): void => {
    for (const application of [...known.values()]) {
      if (application.sockets > 0 || (name !== undefined && application.hello.name !== name)) continue
      const state = isThere(application.hello)
      const isAway = clock.now().bootMs - application.lastSeen.bootMs >= awayMs
      if (state === 'alive' || (state === 'unknown' && !isAway)) continue
      end(application, { crashed: true, why: 'its process is gone' }, application.lastSeen)
    }
  }

  const serve = (application: Known): Application => ({
    name: application.hello.name,

    resume({ lane: number, inc: theirInc, events }) {
      const [first] = events
      // Of an application that comes back to the same daemon everything is known.
      if (!first || (application.lanes.get(number)?.lane.attempt ?? 0) >= first.attempt) return
      const lane = laneOf(application, number, first)
      if (!lane) return refuse(application)
      const wasRecorded = isRecorded(memory, lane.conn, clock.bootId, events)
      for (const event of events) if (!put(application, lane, event, theirInc, wasRecorded)) refuse(application)
    },

    take(message) {
      if (message.n <= application.lastN) return application.lastN
      application.lastN = message.n
      application.lastSeen = clock.now()
      if (message.type === 'lost') {
        lose(application, message.count)
        return application.lastN
      }
      const { event, lane: number, inc: theirInc } = message
      const lane = laneOf(application, number, event)
      if (!lane || !put(application, lane, event, theirInc, false)) refuse(application)
      return application.lastN
    },

    lost: count => lose(application, count),

    bye({ exitCode, crashed }) {
      const why = crashed ?? `exit ${exitCode}`
      end(application, { crashed: crashed !== null, why }, clock.now())
    },

    disconnected() {
      application.sockets -= 1
      application.lastSeen = clock.now()
    },
  })

  return {
    welcome(hello) {
      const { name, version } = hello
      if (version !== ingestVersion) return `it speaks version ${version}, and this daemon ${ingestVersion}`
      if (!namePattern.test(name) || isReserved(name)) return 'its name is not one for an application'
      // One of the same name that has come again, in another container, say: the one before it is no more.
      bury(0, name)
      const now = clock.now()
      const shiftMs = now.monoMs - hello.clock.monoMs
      const before = known.get(keyOf(hello))
      if (!before && known.size >= connectionsMax) return 'there are too many applications'
      const application: Known = before ?? {
        hello,
        lanes: new Map(),
        lastN: 0,
        shiftMs: Math.abs(shiftMs) < clockShiftMs ? 0 : shiftMs,
        refused: 0,
        sockets: 0,
        lastSeen: now,
      }
      application.sockets += 1
      known.set(keyOf(hello), application)
      return serve(application)
    },

    lookAfter: () => bury(unknownMs),

    connections: () =>
      [...known.values()].flatMap(({ hello: { name, pid, versions }, lanes }) =>
        [...lanes.values()].map(({ conn }) => ({ conn, name, pid, sdk: versions.sdk ?? null })),
      ),
  }
}
