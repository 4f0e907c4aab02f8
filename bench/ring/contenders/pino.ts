/** pino into a file, by the stream it comes with. */
import { join } from 'node:path'
import type { Place, Sink } from '../contender.js'
import { loadPino, type SonicBoom, type SonicBoomOptions } from '../peers.js'
import type { Shape } from '../stream.js'

/** pino writes the level itself, first of all; the rest is as in ours, with our times in place of its own. */
export const withoutLevel: Shape = (at, bootId, monoMs, _level, type, conn, inc, data) => ({
  at,
  bootId,
  monoMs,
  type,
  conn,
  inc,
  data,
})

export async function openPino({ dir }: Place, options: SonicBoomOptions): Promise<Sink> {
  const destination = loadPino().destination({ dest: join(dir, 'pino.log'), ...options })
  await happens(destination, 'ready')
  return sinkOf(destination)
}

export function sinkOf(destination: SonicBoom): Sink {
  const logger = loadPino()({ base: null, timestamp: false }, destination)
  return {
    append(entry) {
      logger.info(entry)
    },
    async handedOver() {
      // Not by the callback of `flush`: it syncs, which nobody else here does, and may come before the last 4 KiB are written.
      while (destination._len > 0) {
        const drained = happens(destination, 'drain')
        destination.flush()
        await drained
      }
    },
    async close() {
      const closed = happens(destination, 'close')
      destination.end()
      await closed
    },
  }
}

function happens(destination: SonicBoom, event: 'ready' | 'drain' | 'close'): Promise<void> {
  return new Promise((resolve, reject) => {
    destination.once('error', reject)
    destination.once(event, () => {
      destination.off('error', reject)
      resolve()
    })
  })
}
