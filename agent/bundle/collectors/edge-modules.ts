/**
 * `collectors/edge-modules/NAME.txt`: what a module of IoT Edge has logged in the window, by the `iotedge` command of the host. From
 * within a module there is no way to it: the runtime gives its management socket to its own agent alone.
 */
import type { Collector } from './collector.js'
import { writingMs } from './collector.js'
import type { HostCommand } from './host-commands.js'
import { newestRedactedLines } from './lines.js'
import { runProgram } from './program.js'

export const edgeModules: Collector = {
  name: 'edge-modules',
  partsOf: ({ edgeModules, timeLimitSeconds, bytesMax }) =>
    edgeModules.map(name => ({
      name: `collectors/edge-modules/${name}.txt`,
      timeLimitMs: timeLimitSeconds * 1e3 + writingMs,
      bytesMax,
      content(context) {
        const { searchPath, signal, window } = context
        const options = { searchPath, signal, timeLimitMs: timeLimitSeconds * 1e3 }
        return newestRedactedLines(runProgram(iotedgeLogs(name, window), options), bytesMax, context)
      },
    })),
}

const iotedgeLogs = (name: string, { since, until }: Readonly<{ since: number; until: number }>): HostCommand => ({
  program: 'iotedge',
  arguments: ['logs', name, '--since', secondsOf(since), '--until', secondsOf(until + 999)],
  // A container's own standard error comes out there.
  errorsToo: true,
})

const secondsOf = (ms: number): string => String(Math.floor(ms / 1e3))
