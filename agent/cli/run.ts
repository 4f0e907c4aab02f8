/** `hubrec run`: the daemon. */
import { loadConfig } from '../config/load.js'
import { AgentError } from '../errors.js'
import { type Command, text } from './command.js'
import { sourceOptions } from './options.js'

const { config } = sourceOptions

export const run: Command = {
  name: 'run',
  summary: 'the daemon: connect, record, come back, answer direct methods',
  usage: '[--config FILE]',
  details: 'Runs until SIGTERM or Ctrl-C, and then ends within 5 s with everything written.',
  options: { config },
  positionalsMax: 0,
  async run(values, _positionals, { env, signal, complain }) {
    const { config } = await loadConfig({ file: text(values, 'config'), env })
    // The SDK's debug output prints its tokens, and reads this variable when it is loaded.
    if (process.env.DEBUG) {
      delete process.env.DEBUG
      complain('hubrec: DEBUG is ignored, because the SDK would print its tokens; logLevel and hubrec logs show more')
    }
    const { runDaemon } = await import('../daemon.js')
    try {
      await runDaemon({ config, env, signal })
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
