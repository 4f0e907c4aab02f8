/** A small ext4 of its own on a loop device, whose sectors can be counted. */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { Unavailable } from './contender.js'

const run = promisify(execFile)

export const sectorBytes = 512

/** Sparse: it takes what is written. */
const volumeBytes = 1024 * 1024 * 1024

export type Volume = Readonly<{ mountPoint: string; device: string; unmount(): Promise<void> }>

export function volumesMissing(): string | null {
  if (process.getuid?.() !== 0) return 'only root can mount a loop device'
  for (const [tool, ...args] of [
    ['losetup', '--version'],
    ['mkfs.ext4', '-V'],
    ['mount', '--version'],
  ] as const) {
    try {
      execFileSync(tool, args, { stdio: 'ignore' })
    } catch {
      return `${tool} does not run here`
    }
  }
  return null
}

/** Whatever happens, the device is given back. */
export async function withVolume<T>(dir: string, use: (volume: Volume) => Promise<T>): Promise<T> {
  const image = join(dir, 'volume.img')
  const mountPoint = join(dir, 'volume')
  await mkdir(mountPoint)
  const file = await open(image, 'w')
  await file.truncate(volumeBytes)
  await file.close()
  // Everything is written now, and not later by a thread of the kernel that would be counted.
  await run('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image])

  const device = (await available(run('losetup', ['--find', '--show', image]))).stdout.trim()
  let mounted = false
  const unmount = async () => {
    if (mounted) await run('umount', [mountPoint])
    mounted = false
  }
  try {
    await available(run('mount', ['-t', 'ext4', device, mountPoint]))
    mounted = true
    return await use({ mountPoint, device, unmount })
  } finally {
    await unmount()
    await run('losetup', ['--detach', device])
    await rm(image)
  }
}

/** Since the device was set up. */
export function sectorsWritten(device: string): number {
  const fields = readFileSync(`/sys/block/${basename(device)}/stat`, 'utf8')
    .trim()
    .split(/\s+/)
  return Number(fields[6])
}

/** A container may be root and still have no loop devices. */
const available = async <T>(attempt: Promise<T>): Promise<T> => {
  try {
    return await attempt
  } catch (error) {
    throw new Unavailable(
      `no loop device can be mounted here (${error instanceof Error ? error.message.trim() : error})`,
    )
  }
}
