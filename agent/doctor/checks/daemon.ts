/** Whether the recorder runs, and is connected. */
import { SilentDaemon } from '../../control.js'
import { AgentError } from '../../errors.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

export const daemon: Check = {
  id: 'daemon',
  family: 'recorder',
  question: 'Does the recorder run, and is it connected?',
  why: 'Only what runs records; what it says of an outage is the best evidence there is.',
  remedies: [
    'Run `systemctl status hubrec` and `journalctl -u hubrec -n 50`.',
    'Run `hubrec episodes --since 1h` and do what the verdict says.',
  ],
  needs: ['configuration'],
  async ask({ daemon, config }) {
    const { config: found, file } = await config()
    const { controlSocket } = found
    const status = await daemon().catch((error: unknown) => {
      // Of what may not be asked nobody can say that it does not run.
      if (error instanceof SilentDaemon || (error instanceof AgentError && error.users)) return error
      throw error
    })
    if (status instanceof SilentDaemon) return failed(status.said, { controlSocket, pid: status.pid }, status.remedies)
    if (status instanceof AgentError) return skipped(status.message)
    if (status === null)
      return warning(`nobody answers at ${controlSocket}: it does not run`, { controlSocket }, [
        `Run \`systemctl start hubrec\`, or \`hubrec run${file === null ? '' : ` --config ${file}`}\`.`,
      ])
    const { connection, episode } = status
    const info = { connection, conditions: status.conditions }
    if (connection.state === 'online') return ok(`connected over ${connection.protocol}`, info)
    const verdict =
      episode === null ? '' : `: ${episode.verdict.cause} (${episode.verdict.confidence}), ${episode.verdict.title}`
    return failed(`it runs and is not connected${verdict}`, info, episode?.verdict.nextSteps.slice(0, 3))
  },
}
