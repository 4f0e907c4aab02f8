/** A file system of its own that is soon full, for as long as a test lasts. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/**
 * @param options of tmpfs, as `size=64k`
 * @returns where it is mounted, not under the tests' own directory, which is emptied by force; `null`, and said, where that is not allowed
 */
export function smallDisk(t: Test, options: string): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'hubrec-small-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', dir]).status !== 0) {
    rmdirSync(dir)
    t.comment('mounting a small disk needs root: not tested on this machine')
    return null
  }
  t.teardown(() => {
    spawnSync('umount', ['-l', dir])
    rmdirSync(dir)
  })
  return dir
}
