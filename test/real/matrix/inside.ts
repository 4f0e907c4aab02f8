/** A network and a mount namespace of our own, with a resolver that asks the matrix's name servers: nothing else is touched. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inOwnNetwork } from '../../support/own-network.js'
import { addresses } from './network.js'

const files = {
  'resolv.conf': `nameserver ${addresses.names}\noptions timeout:1 attempts:1\n`,
  'nsswitch.conf': 'hosts: files dns\n',
  hosts: '127.0.0.1 localhost\n',
} as const

/** @returns the exit code of the command, which gets our standard output and error */
export async function runInside(command: readonly string[], stdio: 'inherit' | 'ignore' = 'inherit'): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'matrix-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
    const child = spawn('unshare', inOwnNetwork(dir, ...command), { stdio: ['ignore', stdio, stdio] })
    const [code] = await once(child, 'exit')
    return code ?? 1
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Said aloud by whoever skips: what is not to be had here, or `false`. */
export async function lacking(): Promise<string | false> {
  const needed = ['ip netns add probe', 'ip netns delete probe', 'nft list ruleset', 'sysctl -n net.ipv4.ip_forward']
  try {
    const code = await runInside(['sh', '-ec', needed.join('\n')], 'ignore')
    return code === 0 ? false : 'no network namespace with ip and nft to be had here'
  } catch (error) {
    return `no network namespace to be had here: ${(error as Error).message}`
  }
}
