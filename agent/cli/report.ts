/** `hubrec report`: a bundle as one HTML page, made anew of its data: a page that came with it is a stranger's, and may be of an old release. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { openBundle, verifyBundle } from '../bundle/unzip.js'
import { removeIfThere, renameDurably } from '../durable-file.js'
import { AgentError } from '../errors.js'
import { readBuiltPage } from '../report/built-page.js'
import { bundleReport } from '../report/bundle-report.js'
import { reportHtml } from '../report/html.js'
import { type Command, text } from './command.js'

export const report: Command = {
  name: 'report',
  summary: 'a bundle as one HTML page, which needs no network',
  usage: 'BUNDLE [-o FILE]',
  details: [
    'Checks the bundle first, as hubrec verify does: of one that was damaged or changed on its way no page is made, and',
    'what is wrong is said. hubrec episodes --bundle and hubrec logs --bundle show what is sound in it.',
  ].join('\n'),
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', help: 'default: the name of the bundle with .html, here' },
  },
  positionalsMax: 1,
  async run(values, [bundleFile], io) {
    if (bundleFile === undefined) throw new AgentError('USAGE', 'name a bundle: hubrec report BUNDLE')
    await access(bundleFile, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      throw new AgentError('USAGE', `${bundleFile} cannot be read: ${error.code}`)
    })
    const wrong: string[] = []
    for await (const { path, status, reason } of verifyBundle(bundleFile)) {
      if (status !== 'ok') wrong.push(`${path}: ${reason}`)
    }
    if (wrong.length > 0) {
      throw new AgentError('BUNDLE_INVALID', `${bundleFile} is not what its manifest says; no page was made`, wrong)
    }
    const file = resolve(text(values, 'output') ?? `${basename(bundleFile).replace(/\.zip$/i, '')}.html`)
    if (file === resolve(bundleFile)) throw new AgentError('USAGE', `${file} is the bundle itself`)
    const bundle = await openBundle(bundleFile)
    const bytes = await write(file, reportHtml(bundleReport(bundle, io.signal), await readBuiltPage()))
    io.print(
      values.json
        ? JSON.stringify({ file, bytes })
        : `${file}  ${bytes} bytes; it opens in any browser, without a network`,
    )
    return 0
  },
}

/** The file is whole, or not there. */
async function write(file: string, pieces: AsyncIterable<string>): Promise<number> {
  const temporary = `${file}.${process.pid}.tmp`
  const output = createWriteStream(temporary, { mode: 0o644, flush: true })
  const written = finished(output)
  written.catch(() => undefined)
  try {
    for await (const piece of pieces) {
      if (!output.write(piece)) await Promise.race([once(output, 'drain'), written])
    }
    output.end()
    await written
    await renameDurably(temporary, file)
    return output.bytesWritten
  } catch (error) {
    output.destroy()
    await removeIfThere(temporary)
    const { syscall, code } = error as NodeJS.ErrnoException
    throw syscall ? new AgentError('USAGE', `${dirname(file)} cannot be written: ${code}`) : error
  }
}
