/**
 * Deflating on this thread, to be imported before the ring: how long another thread takes is a chance that no seed repeats.
 * It still takes a few turns of the event loop, so that records come and machines crash meanwhile.
 */
import { syncBuiltinESMExports } from 'node:module'
import zlib from 'node:zlib'

type Answer = (error: Error | null, result?: Buffer) => void

let underWay = 0

/** Whether something is being deflated or inflated. */
export const isDeflating = (): boolean => underWay > 0

function steady<Options>(sync: (bytes: Buffer, options: Options) => Buffer) {
  return (bytes: Buffer, options: Options, answer: Answer): void => {
    underWay++
    let turns = bytes.length % 5
    const act = (): void => {
      if (turns-- > 0) {
        setImmediate(act)
        return
      }
      underWay--
      let result: Buffer
      try {
        result = sync(bytes, options)
      } catch (error) {
        answer(error as Error)
        return
      }
      answer(null, result)
    }
    setImmediate(act)
  }
}

Object.assign(zlib, { deflateRaw: steady(zlib.deflateRawSync), inflateRaw: steady(zlib.inflateRawSync) })
syncBuiltinESMExports()
