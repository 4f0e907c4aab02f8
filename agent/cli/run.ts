/** `hubrec run`: the daemon. */
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import { AgentError } from '../errors.js'
import { type Command, text } from './command.js'
import { sourceOptions } from './options.js'

const { config } = sourceOptions

export const run: Command = {
  name: 'run',
  summary: 'the daemon: connect, record, come back, answer direct methods',
  usage: '[--config FILE]',
  details:
    'Runs until SIGTERM or Ctrl-C, and then ends within 5 s with everything written. SIGHUP reads the configuration again: what a running\n' +
    'daemon can take over changes at once, the rest is named in the log.',
  options: { config },
  positionalsMax: 0,
  async run(values, _positionals, { env, signal, complain }) {
    const load = async (): Promise<Config> => (await loadConfig({ file: text(values, 'config'), env })).config
    const config = await load()
    // The SDK's debug output prints its tokens, and reads this variable when it is loaded.
    if (process.env.DEBUG) {
      delete process.env.DEBUG
      complain('hubrec: DEBUG is ignored, because the SDK would print its tokens; logLevel and hubrec logs show more')
    }
    const { runDaemon } = await import('../daemon.js')
    try {
      // In a terminal SIGHUP says that it was closed, and ends the process.
      await runDaemon({ config, env, signal, ...(process.stdin.isTTY ? {} : { reread: load }) })
      return 0
    } catch (error) {
      if (error instanceof AgentError && error.users) throw error
      // The log has told it, without the secrets that an error may hold.
      complain('hubrec run has failed; the log says why')
      setTimeout(() => process.exit(), 200).unref()
      return 3
    }
  },
}
