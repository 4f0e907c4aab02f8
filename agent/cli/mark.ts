/** `hubrec mark`: "it happened just now", for whoever reads the records later. */
import { askDaemon } from '../control.js'
import type { Mark } from '../mark.js'
import type { Command } from './command.js'
import { sourceOptions } from './options.js'
import { placesOf } from './source.js'

const { config, 'state-dir': stateDir } = sourceOptions

export const mark: Command = {
  name: 'mark',
  summary: 'write a marker into the records, and print its id',
  usage: '[NOTE]',
  details: 'The id is what --around of bundle, logs and episodes takes, and UploadSupportBundle from the cloud.',
  options: { config, 'state-dir': stateDir },
  positionalsMax: 1,
  async run(values, [note = ''], io) {
    const { socket } = await placesOf(values, io)
    const made = (await askDaemon(socket, 'mark', { note })) as Mark | null
    if (made === null) {
      io.complain(`hubrec mark: no daemon answers at ${socket}, and only a running one writes records`)
      return 1
    }
    io.print(values.json ? JSON.stringify(made) : made.id)
    return 0
  },
}
