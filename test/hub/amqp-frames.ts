/** Cuts a byte stream into AMQP frames, and reads of each what the hub's log and its faults need to know. */

import frames from 'rhea/lib/frames.js'
import terminus from 'rhea/lib/terminus.js'

export type FrameError = Readonly<{ condition: string | null; description: string | null }>

/** What a frame says. Anything that only moves credit and windows is `other`. */
export type Said =
  | Readonly<{ name: 'header' }>
  | Readonly<{ name: 'heartbeat' }>
  | Readonly<{ name: 'open'; idleTimeOutMs: number | null }>
  /** `role` is that of whoever sends the frame. */
  | Readonly<{ name: 'attach'; handle: string; linkName: string; role: 'sender' | 'receiver'; address: string | null }>
  | Readonly<{ name: 'detach'; handle: string; error: FrameError }>
  | Readonly<{ name: 'transfer'; handle: string; bytes: number; more: boolean }>
  | Readonly<{ name: 'end'; channel: number; error: FrameError }>
  | Readonly<{ name: 'close'; error: FrameError }>
  | Readonly<{ name: 'other'; handle: string | null }>

/** A protocol header and an empty frame are as long as this. */
const headerBytes = 8
/** Larger than what the hub announces, so that it is a mistake and not a message. */
const frameBytesLimit = 1024 * 1024

/** @throws Error on what cannot be a frame */
export function readFrame(bytes: Buffer): Said {
  if (bytes.subarray(0, 4).toString('latin1') === 'AMQP') return { name: 'header' }
  const frame = frames.read_frame(bytes)
  if (!frame.performative) return { name: 'heartbeat' }
  const { channel } = frame
  const handleOf = (handle: number | null | undefined) => `${channel}:${handle ?? ''}`
  let said: Said = { name: 'other', handle: null }
  const other = ({ performative: { handle } }: { performative: { handle?: number | null } }) => {
    said = { name: 'other', handle: handle === undefined || handle === null ? null : handleOf(handle) }
  }
  frame.performative.dispatch(
    {
      on_open: ({ performative }: On<{ idle_time_out?: number }>) => {
        said = { name: 'open', idleTimeOutMs: performative.idle_time_out || null }
      },
      on_attach: ({ performative }: On<Attach>) => {
        const { handle, name, role, source, target } = performative
        const end = terminus.unwrap(role ? source : target)
        said = {
          name: 'attach',
          handle: handleOf(handle),
          linkName: name,
          role: role ? 'receiver' : 'sender',
          address: end?.address ?? null,
        }
      },
      on_detach: ({ performative }: On<{ handle: number; error?: RawError }>) => {
        said = { name: 'detach', handle: handleOf(performative.handle), error: readError(performative.error) }
      },
      on_transfer: ({ performative }: On<{ handle: number; more?: boolean }>) => {
        const { handle, more = false } = performative
        said = { name: 'transfer', handle: handleOf(handle), bytes: frame.payload?.length ?? 0, more }
      },
      on_end: ({ performative }: On<{ error?: RawError }>) => {
        said = { name: 'end', channel, error: readError(performative.error) }
      },
      on_close: ({ performative }: On<{ error?: RawError }>) => {
        said = { name: 'close', error: readError(performative.error) }
      },
      on_begin: () => {},
      on_flow: other,
      on_disposition: () => {},
    },
    frame,
  )
  return said
}

type On<T> = Readonly<{ performative: T }>
type RawError = Readonly<{ condition?: string; description?: string }> | null
type Attach = Readonly<{ handle: number; name: string; role: boolean; source: unknown; target: unknown }>

const readError = (error: RawError | undefined): FrameError => ({
  condition: error?.condition ?? null,
  description: error?.description ?? null,
})

/** Tells each frame, the protocol header first, once all of its bytes are there. */
export function cutFrames(tell: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let headed = false
  const length = (): number => {
    if (!headed) return headerBytes
    if (rest.length < 4) return Number.POSITIVE_INFINITY
    const bytes = rest.readUInt32BE(0)
    if (bytes < headerBytes || bytes > frameBytesLimit) throw new Error(`no frame has ${bytes} bytes`)
    return bytes
  }
  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let bytes = length(); rest.length >= bytes; bytes = length()) {
      const frame = rest.subarray(0, bytes)
      rest = rest.subarray(bytes)
      headed = true
      tell(frame)
    }
  }
}
