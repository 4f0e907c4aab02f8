/** `hubrec scrub` says everything that is missing at once, and writes over nothing. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Io } from '../../agent/cli/command.js'
import { scrub } from '../../agent/cli/scrub.js'

const io: Io = {
  print: () => undefined,
  write: () => undefined,
  complain: () => undefined,
  room: async () => undefined,
  env: {},
  signal: new AbortController().signal,
  isTerminal: false,
}

t.test('what is missing is said at once', async t => {
  await t.rejects(scrub.run({}, [], io), {
    code: 'USAGE',
    message: 'USAGE: which BUNDLE?; leave out what? expected --exclude TYPE; where to? expected -o FILE',
  })
})

t.test('neither a bundle that is not there nor itself nor what is none', async t => {
  const dir = t.testdir()
  const file = join(dir, 'a.zip')
  const excluding = { exclude: ['wire'] }
  await t.rejects(scrub.run({ ...excluding, output: join(dir, 'b.zip') }, [file], io), {
    code: 'USAGE',
    message: /a\.zip cannot be read: ENOENT/,
  })
  await writeFile(file, 'no archive')
  await t.rejects(scrub.run({ ...excluding, output: file }, [file], io), { code: 'USAGE', message: /not written over/ })
  await t.rejects(scrub.run({ ...excluding, output: join(dir, 'b.zip') }, [file], io), { code: 'BUNDLE_INVALID' })
})
