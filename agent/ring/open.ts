/** The door of the ring for those who write. */
import { realDisk } from './disk.js'
import type { Ring, RingOptions, RingRecovery } from './ring.js'
import { Writer } from './writer.js'

/**
 * Open the ring in a directory, making it where there is none, and put right what a crash left behind.
 *
 * Nothing that lies on the disk keeps it from opening: where it cannot be read or written, the ring starts in memory
 * and tries again every 2 s. One process at a time may write: it is for the caller to see to that.
 *
 * @returns `lastRecord`: the JSON text of the newest record that was there before, `null` in an empty ring
 */
export async function openRing(
  options: RingOptions,
): Promise<{ ring: Ring; recovery: readonly RingRecovery[]; lastRecord: string | null }> {
  const writer = new Writer(options, options.disk ?? realDisk)
  return { ring: writer, ...(await writer.start()) }
}
