/**
 * Of an application's frames nearly all carry its messages and say that they were taken. They are recognised by their first bytes
 * and counted; only what says something of the connection is read as a whole, which costs much more.
 */

export type Sieve = Readonly<{
  /** What is to be read: the header of the protocol, and each frame that is none of the frequent ones. */
  read(bytes: Buffer): void
  /** A message over the link with this handle. @returns whether it is to be read after all */
  transfer(handle: number): boolean
  /** So many messages were taken by who got them. */
  accepted(count: number): void
}>

const headerBytes = 8
const frameHeadBytes = 8
/** In the second part of AMQP 1.0: performatives by their code. */
const transferCode = 0x14
const dispositionCode = 0x15
const flowCode = 0x13
/** `accepted`, described by its code. */
const acceptedState = Buffer.from([0x00, 0x53, 0x24])

/** @returns takes the bytes of one direction, in whatever pieces they come; must not be given anything before the header */
export function createSieve(sieve: Sieve): (bytes: Buffer) => void {
  let begun = false
  let isOff = false
  let waiting: Buffer[] = []
  let waitingBytes = 0
  /** Less than this says nothing new. */
  let neededBytes = headerBytes

  return bytes => {
    if (isOff) return sieve.read(bytes)
    if (waiting.length > 0 || bytes.length < neededBytes) {
      waiting.push(bytes)
      waitingBytes += bytes.length
      if (waitingBytes < neededBytes) return
    }
    const all = waiting.length === 0 ? bytes : Buffer.concat(waiting, waitingBytes)
    let at = 0
    if (!begun) {
      begun = true
      if (all.toString('latin1', 0, 4) !== 'AMQP') isOff = true
      else {
        sieve.read(all.subarray(0, headerBytes))
        at = headerBytes
      }
    }
    while (!isOff && all.length - at >= 4) {
      const size = all.readUInt32BE(at)
      // What is no frame is for the reader to say.
      if (size < frameHeadBytes) isOff = true
      else if (all.length - at < size) break
      else {
        if (!isFrequent(all, at, at + size, sieve)) sieve.read(all.subarray(at, at + size))
        at += size
      }
    }
    waiting = at === all.length || isOff ? [] : [all.subarray(at)]
    waitingBytes = all.length - at
    neededBytes = waitingBytes >= 4 ? all.readUInt32BE(at) : 4
    if (isOff) sieve.read(all.subarray(at))
  }
}

/** Makes nothing that would have to be collected: it is asked of every frame. */
function isFrequent(bytes: Buffer, from: number, to: number, sieve: Sieve): boolean {
  const start = from + (bytes[from + 4] ?? 0) * 4
  // A described list, by the short form of its code, which everybody uses; anything else is read.
  if (bytes[start] !== 0x00 || bytes[start + 1] !== 0x53) return false
  const code = bytes[start + 2]
  if (code === flowCode) return true
  if (code !== transferCode && code !== dispositionCode) return false
  const listType = bytes[start + 3]
  if (listType !== 0xc0 && listType !== 0xd0) return false
  const fields = start + (listType === 0xc0 ? 6 : 12)
  if (code === transferCode) {
    const handle = uintAt(bytes, fields, to)
    return handle !== null && !sieve.transfer(handle)
  }
  if (!saysAccepted(bytes, fields, to)) return false
  const isFromReceiver = booleanAt(bytes, fields)
  const firstAt = fields + (bytes[fields] === 0x56 ? 2 : 1)
  const first = uintAt(bytes, firstAt, to)
  const last = uintAt(bytes, firstAt + uintBytes(bytes[firstAt]), to) ?? first
  if (isFromReceiver && first !== null && last !== null) sieve.accepted(Math.max(0, last - first) + 1)
  return true
}

function saysAccepted(bytes: Buffer, from: number, to: number): boolean {
  const at = bytes.indexOf(acceptedState, from)
  return at !== -1 && at + acceptedState.length <= to
}

/** In the encodings that such fields have; `null` for none, and for what is no such number. */
function uintAt(bytes: Buffer, at: number, to: number): number | null {
  switch (bytes[at]) {
    case 0x43:
      return 0
    case 0x52:
      return at + 2 <= to ? (bytes[at + 1] ?? null) : null
    case 0x70:
      return at + 5 <= to ? bytes.readUInt32BE(at + 1) : null
    default:
      return null
  }
}

const uintBytes = (type: number | undefined): number => (type === 0x52 ? 2 : type === 0x70 ? 5 : 1)

const booleanAt = (bytes: Buffer, at: number): boolean =>
  bytes[at] === 0x41 || (bytes[at] === 0x56 && bytes[at + 1] === 1)
