/** The end of a process that is not our child: there is no event for it. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves when it is gone, or waits for nobody but its parent. */
export async function processEnd(pid: number): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
    if (stat === '' || /\) Z /.test(stat)) return
    await sleep(10)
  }
}
