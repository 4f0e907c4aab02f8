/**
 * AMQP's frames as plain data, read off the bytes of one direction with rhea's codec. It watches and never takes part: what
 * it cannot read, the SDK's own reader will meet too.
 *
 * The SDK tells of a `close` 45 s later or never; here it is told as it arrives.
 */
import rhea from 'rhea'
import frames from 'rhea/lib/frames.js'
import terminus from 'rhea/lib/terminus.js'
import type { LinkRole } from './wire-event.js'

export type AmqpError = Readonly<{ condition: string | null; description: string | null }>

export type Outcome = 'accepted' | 'rejected' | 'released' | 'modified' | 'other'

/** Of a frame only what somebody asks for. `bytes` is its size on the wire. */
export type AmqpFrame = Readonly<{ channel: number; bytes: number }> &
  (
    | Readonly<{ name: 'heartbeat' | 'open' | 'begin' }>
    /** `role` is that of who sent it. */
    | Readonly<{
        name: 'attach'
        handle: number
        link: string
        role: LinkRole
        source: Terminus | null
        target: Terminus | null
      }>
    /** Without a handle it is about the session alone. */
    | Readonly<{ name: 'flow'; handle: number | null; echo: boolean }>
    /** `payload` must not be kept: it may hold a token. It is cut for a frame over 64 KiB. */
    | Readonly<{
        name: 'transfer'
        handle: number
        deliveryId: number | null
        settled: boolean
        more: boolean
        payload: Buffer
      }>
    | Readonly<{
        name: 'disposition'
        role: LinkRole
        first: number
        last: number
        settled: boolean
        outcome: Outcome | null
        error: AmqpError | null
      }>
    | Readonly<{ name: 'detach'; handle: number; error: AmqpError | null }>
    | Readonly<{ name: 'end' | 'close'; error: AmqpError | null }>
  )

/** One end of a link. A peer that refuses a link answers without the end that was asked for. */
export type Terminus = Readonly<{ address: string | null }>

/** A put-token's answer. */
export type CbsReply = Readonly<{ status: number; description: string }>

/** Of a longer frame, which can only be a transfer, the rest is counted and not read. */
const headBytesMax = 64 << 10

const textMax = 200
const protocolHeaderBytes = 8
const sizeBytes = 4
const frameBytesMin = 8

/**
 * @param onFrame told of each frame once all of it was there
 * @param onMalformed told once, of what is no AMQP; nothing is read after it
 */
export function createFrameReader(
  onFrame: (frame: AmqpFrame) => void,
  onMalformed: (error: Error) => void,
): (bytes: Buffer) => void {
  let begun = false
  let broken = false
  /** What has come of a frame, at most its head. */
  let head: Buffer = Buffer.alloc(0)
  /** Bytes of the frame that are still to come and will not be read. */
  let skip = 0

  const take = (bytes: Buffer): Buffer => {
    let rest = bytes
    if (!begun) {
      if (rest.length < protocolHeaderBytes) return rest
      if (rest.toString('latin1', 0, 4) !== 'AMQP') throw new Error('expected the header of AMQP')
      begun = true
      rest = rest.subarray(protocolHeaderBytes)
    }
    while (rest.length >= sizeBytes) {
      const size = rest.readUInt32BE(0)
      if (size < frameBytesMin) throw new Error(`a frame of ${size} bytes`)
      const wanted = Math.min(size, headBytesMax)
      if (rest.length < wanted) break
      const frame = rest.subarray(0, wanted)
      const left = size - wanted
      skip = Math.max(0, left - (rest.length - wanted))
      rest = rest.subarray(Math.min(rest.length, size))
      read(frame, size, onFrame)
      if (skip > 0) break
    }
    return rest
  }

  return bytes => {
    if (broken) return
    let fresh = bytes
    if (skip > 0) {
      const skipped = Math.min(skip, fresh.length)
      skip -= skipped
      fresh = fresh.subarray(skipped)
      if (fresh.length === 0) return
    }
    try {
      const rest = take(head.length === 0 ? fresh : Buffer.concat([head, fresh]))
      // A copy, because the socket's buffer is larger than what is kept of it.
      head = rest.length === 0 ? empty : Buffer.from(rest)
    } catch (error) {
      broken = true
      head = empty
      onMalformed(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

const empty = Buffer.alloc(0)

function read(bytes: Buffer, size: number, onFrame: (frame: AmqpFrame) => void): void {
  const { channel, performative, payload } = frames.read_frame(bytes)
  const of = { channel: channel ?? 0, bytes: size }
  const told = performative ? describe(performative, payload ?? empty) : ({ name: 'heartbeat' } as const)
  if (told) onFrame({ ...of, ...told })
}

type WithoutSize<T> = T extends unknown ? Omit<T, 'channel' | 'bytes'> : never
type Fields = Record<string, unknown>

/** A performative names itself only by which of these it calls. */
function describe(performative: { dispatch(target: object, frame: unknown): void }, payload: Buffer) {
  const f = performative as unknown as Fields
  let told: WithoutSize<AmqpFrame> | null = null
  const say = (frame: WithoutSize<AmqpFrame>) => () => {
    told = frame
  }
  performative.dispatch(
    {
      on_open: say({ name: 'open' }),
      on_begin: say({ name: 'begin' }),
      on_attach: () => {
        const [source, target] = [f.source, f.target].map(terminusOf)
        const ends = { source: source ?? null, target: target ?? null }
        told = { name: 'attach', handle: Number(f.handle), link: String(f.name), role: roleOf(f.role), ...ends }
      },
      on_flow: () => {
        told = { name: 'flow', handle: numberOr(f.handle, null), echo: f.echo === true }
      },
      on_transfer: () => {
        told = {
          name: 'transfer',
          handle: Number(f.handle),
          deliveryId: numberOr(f.delivery_id, null),
          settled: f.settled === true,
          more: f.more === true,
          payload,
        }
      },
      on_disposition: () => {
        const first = Number(f.first)
        const last = numberOr(f.last, first)
        const settled = f.settled === true
        told = { name: 'disposition', role: roleOf(f.role), first, last, settled, ...outcomeOf(f.state) }
      },
      on_detach: () => {
        told = { name: 'detach', handle: Number(f.handle), error: errorOf(f.error) }
      },
      on_end: () => {
        told = { name: 'end', error: errorOf(f.error) }
      },
      on_close: () => {
        told = { name: 'close', error: errorOf(f.error) }
      },
    },
    null,
  )
  return told as WithoutSize<AmqpFrame> | null
}

/** AMQP says `true` for a receiver. */
const roleOf = (role: unknown): LinkRole => (role === true ? 'receiver' : 'sender')

function terminusOf(end: unknown): Terminus | null {
  const read = terminus.unwrap(end)
  return read ? { address: textOrNull(read.address) } : null
}

const numberOr = <T>(value: unknown, otherwise: T): number | T =>
  value === null || value === undefined ? otherwise : Number(value)

const text = (value: unknown): string => String(value ?? '').slice(0, textMax)

const textOrNull = (value: unknown): string | null => (value === null || value === undefined ? null : text(value))

function errorOf(error: unknown): AmqpError | null {
  if (typeof error !== 'object' || error === null) return null
  const { condition, description } = error as Fields
  return { condition: textOrNull(condition), description: textOrNull(description) }
}

/** By descriptor, in AMQP 1.0, part 3.4. */
const outcomes: Readonly<Record<string, Outcome>> = {
  36: 'accepted',
  37: 'rejected',
  38: 'released',
  39: 'modified',
  'amqp:accepted:list': 'accepted',
  'amqp:rejected:list': 'rejected',
  'amqp:released:list': 'released',
  'amqp:modified:list': 'modified',
}

function outcomeOf(state: unknown): Readonly<{ outcome: Outcome | null; error: AmqpError | null }> {
  const descriptor = (state as { descriptor?: { value?: unknown } } | null | undefined)?.descriptor?.value
  if (descriptor === undefined) return { outcome: null, error: null }
  const outcome = outcomes[String(descriptor)] ?? 'other'
  // Its types forget this one.
  const { unwrap_outcome: unwrap } = rhea.message as unknown as { unwrap_outcome(state: unknown): Fields }
  return { outcome, error: outcome === 'rejected' ? errorOf(unwrap(state).error) : null }
}

/** @returns `null` for what cannot be read as one */
export function readCbsReply(payload: Buffer): CbsReply | null {
  try {
    const properties = rhea.message.decode(payload).application_properties ?? {}
    const status = Number(properties['status-code'])
    return Number.isInteger(status) ? { status, description: text(properties['status-description']) } : null
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
