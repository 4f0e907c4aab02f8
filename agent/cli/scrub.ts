/** `hubrec scrub`: a bundle without what not everybody may see. */
import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecrets } from '../../transports/secrets.js'
import { scrubBundle } from '../bundle/scrub.js'
import { AgentError } from '../errors.js'
import { createRedactor } from '../redact.js'
import { type Command, text } from './command.js'

export const scrub: Command = {
  name: 'scrub',
  summary: 'make a bundle of a bundle that leaves out what not everybody may see',
  usage: 'BUNDLE --exclude TYPE... -o FILE',
  details: [
    'TYPE is a record type (as in `hubrec logs --type`), the name of an entry, or a folder of entries, as `collectors`.',
    'What is made of records of a type goes with them: samples.csv, episodes.json, the report. The rest is redacted once more',
    'with what this release knows, and manifest.json says what was done.',
  ].join('\n'),
  options: {
    exclude: {
      type: 'string',
      multiple: true,
      value: 'TYPE',
      help: 'what is left out; may be given several times, or with commas',
    },
    output: { type: 'string', short: 'o', value: 'FILE', help: 'the bundle that is made' },
  },
  positionalsMax: 1,
  async run(values, [source], io) {
    const file = text(values, 'output')
    const excluded = (Array.isArray(values.exclude) ? values.exclude : [])
      .flatMap(each => String(each).split(','))
      .filter(Boolean)
    const problems = [
      source === undefined ? 'which BUNDLE?' : '',
      excluded.length === 0 ? 'leave out what? expected --exclude TYPE' : '',
      file === undefined ? 'where to? expected -o FILE' : '',
      file !== undefined && source !== undefined && resolve(file) === resolve(source)
        ? 'the bundle itself is not written over: expected another FILE'
        : '',
    ].filter(Boolean)
    if (problems.length > 0 || source === undefined || file === undefined)
      throw new AgentError('USAGE', problems.join('; '))
    await access(source, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      throw new AgentError('USAGE', `${source} cannot be read: ${error.code}`)
    })
    const manifest = await scrubBundle({
      source,
      file: resolve(file),
      excluded: [...new Set(excluded)],
      redactor: createRedactor(createSecrets()),
      nowMs: Date.now(),
    })
    if (values.json) io.print(JSON.stringify({ file: resolve(file), manifest }))
    else {
      io.print(resolve(file))
      for (const { name, bytes } of manifest.entries) io.print(`  ${name.padEnd(16)} ${bytes} bytes`)
      io.print(
        `left out: ${excluded.join(', ')}; entries left out: ${manifest.scrubbed?.at(-1)?.entriesLeftOut.join(', ') || 'none'}`,
      )
    }
    return 0
  },
}
