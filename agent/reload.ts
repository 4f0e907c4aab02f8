/** SIGHUP: the configuration is read again. What can change in a running daemon does, and the rest is named. */
import { changesOf } from './config/changes.js'
import type { Config } from './config/config.js'
import { AgentError } from './errors.js'
import type { Log } from './operator-log.js'
import type { Notify } from './systemd/notify.js'

export type ReloadOptions = Readonly<{
  /** @throws AgentError with all that is wrong */
  reread(): Promise<Config>
  current(): Config
  take(config: Config): void
  log: Log
  notify: Notify | null
}>

/** Never fails: a configuration that is wrong changes nothing. @returns what stops it */
export function reloadOnHangup(options: ReloadOptions): () => void {
  let turn = Promise.resolve()
  const asked = (): void => {
    turn = turn.then(() => reload(options))
  }
  process.on('SIGHUP', asked)
  return () => void process.off('SIGHUP', asked)
}

async function reload({ reread, current, take, log, notify }: ReloadOptions): Promise<void> {
  notify?.send({ RELOADING: 1, MONOTONIC_USEC: Number(process.hrtime.bigint() / 1_000n) })
  try {
    const { live, needRestart, config } = changesOf(current(), await reread())
    if (live.length > 0) log.info('the configuration was reloaded', { changed: live })
    else log.info('the configuration was read again: nothing has changed that a running daemon can take over')
    if (needRestart.length > 0) log.warn('these settings change with the next restart', { changed: needRestart })
    // Last, because it may make the log quieter.
    take(config)
  } catch (error) {
    const problems = error instanceof AgentError ? error.problems : []
    log.error('the configuration was not reloaded and stays as it was', { err: error, problems })
  } finally {
    notify?.send({ READY: 1 })
  }
}
