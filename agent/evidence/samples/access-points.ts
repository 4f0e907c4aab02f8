/** Which access point each radio is connected to, by `iw`: a device that roams has another one than before. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { childEnvironment } from '../../child-environment.js'
import { readText } from './files.js'
import { parseWireless } from './interfaces.js'
import { seldom } from './seldom.js'

const radiosMax = 4
const limitMs = 2_000
const outputBytesMax = 64 << 10

/** By the interface's name. Neither the name of the network nor anything else of it is kept. */
export type AccessPoints = Readonly<Record<string, Readonly<{ bssid: string }>>>

export const accessPoints = seldom('accessPoints', async ({ procRoot }) => {
  const radios = [...parseWireless((await readText(join(procRoot, 'net/wireless'))) ?? '').keys()].slice(0, radiosMax)
  if (radios.length === 0) return null
  const found = await Promise.all(radios.map(async name => [name, parseLink(await askIw(name))] as const))
  const known = found.flatMap(([name, bssid]) => (bssid === null ? [] : [[name, { bssid }] as const]))
  return known.length === 0 ? null : (Object.fromEntries(known) satisfies AccessPoints)
})

/** Nothing where there is no `iw`, or it is not allowed to ask. */
function askIw(name: string): Promise<string> {
  const options = {
    timeout: limitMs,
    maxBuffer: outputBytesMax,
    killSignal: 'SIGKILL',
    env: childEnvironment(),
  } as const
  return new Promise(resolve => {
    execFile('iw', ['dev', name, 'link'], options, (error, output) => resolve(error ? '' : output))
  })
}

export const parseLink = (text: string): string | null =>
  /^Connected to ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\b/im.exec(text)?.[1]?.toLowerCase() ?? null
