/** How messages travel over the ingest socket: four bytes of length, big endian, and JSON. */

/** Of the JSON. A longer one is a mistake or a trick. */
export const frameBytesMax = 64 * 1024

const headBytes = 4

/** @returns `null` where the text is too long for a frame */
export function encodeFrame(json: string): Buffer | null {
  const bytes = Buffer.byteLength(json)
  if (bytes > frameBytesMax) return null
  const frame = Buffer.allocUnsafe(headBytes + bytes)
  frame.writeUInt32BE(bytes, 0)
  frame.write(json, headBytes)
  return frame
}

/** Takes bytes in whatever pieces they come, and never keeps more than one frame and one piece. */
export class FrameReader {
  #waiting: Buffer[] = []
  #waitingBytes = 0

  /** @returns the frames that are whole now, or `null` when the other side does not speak this language */
  push(piece: Buffer): Buffer[] | null {
    this.#waiting.push(piece)
    this.#waitingBytes += piece.length
    // A slow writer sends byte by byte: only what may complete something is put together.
    if (this.#waitingBytes < this.#needed()) return []
    let rest = Buffer.concat(this.#waiting, this.#waitingBytes)
    const frames: Buffer[] = []
    while (rest.length >= headBytes) {
      const bytes = rest.readUInt32BE(0)
      if (bytes === 0 || bytes > frameBytesMax) return null
      if (rest.length < headBytes + bytes) break
      frames.push(rest.subarray(headBytes, headBytes + bytes))
      rest = rest.subarray(headBytes + bytes)
    }
    this.#waiting = rest.length === 0 ? [] : [rest]
    this.#waitingBytes = rest.length
    return frames
  }

  /** Bytes that it takes to say anything. */
  #needed(): number {
    const [first] = this.#waiting
    if (first === undefined || first.length < headBytes) return headBytes
    const bytes = first.readUInt32BE(0)
    return bytes > frameBytesMax ? headBytes : headBytes + bytes
  }
}
