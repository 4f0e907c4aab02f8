/** `hubrec mark`: "it happened just now", for whoever reads the records later; with `--record`, "it happens now". */
import { createInterface } from 'node:readline'
import { askRunning, SilentDaemon } from '../control.js'
import { parseSpan } from '../evidence/window.js'
import type { Mark } from '../mark.js'
import { raisedMs } from '../verbosity.js'
import { type Command, type Io, text } from './command.js'
import { sourceOptions } from './options.js'
import { placesOf } from './source.js'

const { config, 'state-dir': stateDir } = sourceOptions

export const mark: Command = {
  name: 'mark',
  summary: 'write a marker into the records, and print its id',
  usage: '[NOTE]',
  details:
    'The id is what --around of bundle, logs and episodes takes, and UploadSupportBundle from the cloud.\n' +
    'With --record, packet headers, the words of the SDK and a sample each second go into the ring until Enter is pressed, or for\n' +
    '10 minutes, or for as long as --for says; without a terminal nobody is waited for.',
  options: {
    config,
    'state-dir': stateDir,
    record: { type: 'boolean', help: 'raise verbosity: it ends at Enter, and by itself after a while' },
    for: { type: 'string', value: 'T', help: 'with --record, for how long at most: 10m, 2h, up to 24h; default 10m' },
  },
  positionalsMax: 1,
  async run(values, [note = ''], io) {
    const { socket, dir } = await placesOf(values, io)
    const daemon = { socket, stateDir: dir }
    const forMs = values.record ? wantedMs(text(values, 'for')) : null
    if (forMs === 'wrong' || (!values.record && values.for !== undefined)) {
      io.complain(
        `hubrec mark: --for: ${forMs === 'wrong' ? 'expected a time such as 10m or 2h, from 1 s to 24 h' : 'only with --record'}`,
      )
      return 2
    }
    const raise: Record<string, string> = forMs === null ? {} : { raiseMs: String(forMs) }
    const made = (await askRunning(daemon, 'mark', { note, ...raise }).catch((error: unknown) => {
      if (error instanceof SilentDaemon) return error
      throw error
    })) as Mark | SilentDaemon | null
    if (made instanceof SilentDaemon) {
      for (const line of [made.said, ...made.remedies]) io.complain(`hubrec mark: ${line}`)
      io.complain(
        'hubrec mark: no marker is written before it answers; hubrec logs and hubrec episodes read the disk meanwhile',
      )
      return 1
    }
    if (made === null) {
      io.complain(`hubrec mark: no daemon answers at ${socket}, and only a running one writes records`)
      return 1
    }
    io.print(values.json ? JSON.stringify(made) : made.id)
    // In a script nobody presses a key.
    if (made.raised === null || !process.stdin.isTTY) return 0
    io.complain(`verbose records go into the ring until ${made.raised.until}; press Enter to end that now`)
    await enterOr(io)
    await askRunning(daemon, 'lower', { by: made.id })
    return 0
  },
}

function wantedMs(span: string | undefined): number | 'wrong' {
  if (span === undefined) return raisedMs.default
  const ms = parseSpan(span.trim())
  return ms !== null && ms >= 1_000 && ms <= raisedMs.max ? ms : 'wrong'
}

/** Ctrl-C, and a terminal that goes away, are as good as Enter. */
function enterOr({ signal }: Io): Promise<void> {
  const lines = createInterface({ input: process.stdin })
  return new Promise(resolve => {
    const done = (): void => {
      lines.close()
      resolve()
    }
    lines.once('line', done)
    lines.once('close', done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
