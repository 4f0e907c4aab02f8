/** `collectors/journal/UNIT.txt`: what systemd's journal has of a unit in the window, oldest first. */
import type { Collector } from './collector.js'
import { writingMs } from './collector.js'
import { newestRedactedLines } from './lines.js'
import { runProgram } from './program.js'

export const journal: Collector = {
  name: 'journal',
  partsOf: ({ journal, timeLimitSeconds, bytesMax }) =>
    journal.map(unit => ({
      name: `collectors/journal/${unit.replaceAll(/[^A-Za-z0-9._@-]/g, '_')}.txt`,
      timeLimitMs: timeLimitSeconds * 1e3 + writingMs,
      bytesMax,
      content(context) {
        const { searchPath, signal, window } = context
        const options = { searchPath, signal, timeLimitMs: timeLimitSeconds * 1e3 }
        return newestRedactedLines(runProgram(journalctl(unit, window), options), bytesMax, context)
      },
    })),
}

/** Not `--quiet`: that would hide that we may not read it. */
const journalctl = (unit: string, { since, until }: Readonly<{ since: number; until: number }>) => ({
  program: 'journalctl',
  arguments: [
    `--unit=${unit}`,
    `--since=@${Math.floor(since / 1e3)}`,
    `--until=@${Math.ceil(until / 1e3)}`,
    '--output=short-iso-precise',
    '--utc',
    '--no-hostname',
    '--no-pager',
    '--all',
  ],
})
