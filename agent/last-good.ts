/** Where the hub was when it last accepted us, kept over restarts: in an outage its name may lead nowhere. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { writeFileDurably } from './durable-file.js'

export interface LastGood {
  /** The newest first, at most 4. */
  of(host: string): readonly string[]
  /** Resolves when it is on disk, which is written only for an address that is new. Never rejects. */
  keep(host: string, address: string): Promise<void>
}

const addressesMax = 4

type Kept = Readonly<{ host: string; addresses: readonly string[] }>

/** @param warn told of what the disk refuses; a file that is no good is as good as none */
export async function openLastGood(path: string, warn: (message: string, error: unknown) => void): Promise<LastGood> {
  let kept = await readKept(path)
  let writing = Promise.resolve()
  return {
    of: host => (kept?.host === host ? kept.addresses : []),
    keep(host, address) {
      const known = kept?.host === host ? kept.addresses : []
      kept = { host, addresses: [address, ...known.filter(other => other !== address)].slice(0, addressesMax) }
      // A hub that goes to and fro between its addresses costs no write.
      if (known.includes(address)) return writing
      const text = `${JSON.stringify(kept)}\n`
      writing = writing
        .then(() => writeFileDurably(path, text, 0o600))
        .catch((error: unknown) => warn('the address of the hub cannot be kept', error))
      return writing
    },
  }
}

async function readKept(path: string): Promise<Kept | null> {
  try {
    const { host, addresses } = JSON.parse(await readFile(path, 'utf8')) as Partial<Record<keyof Kept, unknown>>
    if (typeof host !== 'string' || !Array.isArray(addresses)) return null
    const good = addresses.filter((each): each is string => typeof each === 'string' && isIP(each) !== 0)
    return { host, addresses: good.slice(0, addressesMax) }
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
