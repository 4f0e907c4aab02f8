/** A wall clock that can be set under a running process, and only for that one: libfaketime's. Its monotonic clock goes on. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const library = ((): string | undefined => {
  const homes = existsSync('/usr/lib') ? readdirSync('/usr/lib').map(name => join('/usr/lib', name, 'faketime')) : []
  return homes.map(home => join(home, 'libfaketimeMT.so.1')).find(path => existsSync(path))
})()

/** Said aloud by tests that skip. */
export const steppedClockLacks: string | false =
  library === undefined ? 'libfaketime (Debian: faketime) is not on this machine' : false

export class SteppedClock {
  readonly #path: string

  constructor(dir: string) {
    this.#path = join(dir, 'clock')
    this.set(0)
  }

  /** From the true time; at once. */
  set(days: number): void {
    writeFileSync(this.#path, `${days < 0 ? '-' : '+'}${Math.abs(days)}d\n`)
  }

  /** For the process that is to live by it. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      // What the kernel says of files is true.
      NO_FAKE_STAT: '1',
    }
  }
}
