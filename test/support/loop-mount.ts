/**
 * A file system of its own for a test, on an image file: real ext4 or xfs, which can lose its power and turn read-only. Only root
 * may have one. It lies outside the tests' own directory, which is emptied by force.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Kind = 'ext4' | 'xfs'

/** Neither takes space before it is written; xfs does not come any smaller. */
const imageBytes: Readonly<Record<Kind, number>> = { ext4: 64 << 20, xfs: 320 << 20 }

export class LoopMount {
  /** Where it is mounted. */
  readonly dir: string
  readonly #home: string
  readonly #options: string
  #image: string
  #isMounted = false

  private constructor(kind: Kind, options: readonly string[]) {
    this.#home = mkdtempSync(join(tmpdir(), 'hubrec-loop-'))
    this.dir = join(this.#home, 'mnt')
    this.#image = join(this.#home, 'image')
    this.#options = ['loop', ...options].join(',')
    mkdirSync(this.dir)
    writeFileSync(this.#image, '')
    truncateSync(this.#image, imageBytes[kind])
    run(`mkfs.${kind}`, '-q', kind === 'ext4' ? '-F' : '-f', this.#image)
    process.once('exit', this.#remove)
  }

  /** Made and mounted; gone at the end of the test, however that ends. @param options of mount */
  static make(t: { teardown(act: () => void): unknown }, kind: Kind, ...options: readonly string[]): LoopMount {
    const made = new LoopMount(kind, options)
    t.teardown(() => made.#remove())
    made.mount()
    return made
  }

  mount(): void {
    run('mount', '-o', this.#options, this.#image, this.dir)
    this.#isMounted = true
  }

  /** Nobody may have a file of it open. */
  unmount(): void {
    run('umount', this.dir)
    this.#isMounted = false
  }

  /** From now on nothing reaches the device any more, what the kernel holds of it included. */
  cutPower(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.dir)
  }

  /** What the kernel does when it finds an ext4 broken that was mounted with `errors=remount-ro`. */
  breakDown(): void {
    const device = run('findmnt', '-n', '-o', 'SOURCE', this.dir).trim().replace('/dev/', '')
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1')
  }

  /** Checked, and mounted again in its place, while others may still hold files of the broken one. */
  repair(): void {
    const repaired = join(this.#home, 'repaired')
    copyFileSync(this.#image, repaired)
    // 1: errors were found and corrected.
    run('e2fsck', '-f', '-y', repaired, [0, 1])
    run('umount', '-l', this.dir)
    this.#image = repaired
    this.mount()
  }

  readonly #remove = (): void => {
    process.removeListener('exit', this.#remove)
    // Lazily where somebody holds it: the mount must not outlive the test, the rest is the kernel's.
    if (this.#isMounted && spawnSync('umount', [this.dir]).status !== 0) spawnSync('umount', ['-l', this.dir])
    this.#isMounted = false
    rmSync(this.#home, { recursive: true, force: true })
  }
}

/** Said aloud by tests that skip; `false` where everything is there. */
export function loopMountLacks(kind: Kind, ...tools: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root: not tested on this machine'
  const missing = [`mkfs.${kind}`, ...tools].find(tool => !isThere(tool))
  if (missing) return `there is no ${missing} on this machine`
  return mountLacks(kind)
}

/** Containers often have root and no loop devices. */
function mountLacks(kind: Kind): string | false {
  const teardowns: (() => void)[] = []
  try {
    LoopMount.make({ teardown: act => teardowns.push(act) }, kind)
    return false
  } catch (error) {
    return `${kind} cannot be mounted on this machine: ${error instanceof Error ? error.message : error}`
  } finally {
    for (const act of teardowns) act()
  }
}

export const isThere = (tool: string): boolean =>
  ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/bin'].some(dir => existsSync(join(dir, tool)))

/** @param last of all: the exit codes that are well, where 0 is not the only one */
function run(command: string, ...given: readonly (string | readonly number[])[]): string {
  const args = given.filter(arg => typeof arg === 'string')
  const well = given.find(arg => typeof arg !== 'string') ?? [0]
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === null || !well.includes(status))
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `${status} ${stderr}`}`)
  return stdout
}
