/** `collectors/commands/NAME.txt`: what a program of the fixed list prints. */
import type { Collector } from './collector.js'
import { writingMs } from './collector.js'
import { type HostCommandName, hostCommands } from './host-commands.js'
import { newestRedactedLines, redactedLines } from './lines.js'
import { runProgram } from './program.js'

/** Of these the end is what one wants to see. */
const newestLast: ReadonlySet<HostCommandName> = new Set(['kernel-log'])

export const commands: Collector = {
  name: 'commands',
  partsOf: ({ commands, timeLimitSeconds, bytesMax }) =>
    commands.map(name => ({
      name: `collectors/commands/${name}.txt`,
      timeLimitMs: timeLimitSeconds * 1e3 + writingMs,
      bytesMax,
      content(context) {
        const { searchPath, signal } = context
        const output = runProgram(hostCommands[name], { searchPath, signal, timeLimitMs: timeLimitSeconds * 1e3 })
        return newestLast.has(name)
          ? newestRedactedLines(output, bytesMax, context)
          : redactedLines(output, bytesMax, context)
      },
    })),
}
