import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeDirectory } from '../agent/make-directory.js'

t.test('it is made with those above it, and what is there is left as it is', async t => {
  const dir = join(t.testdir({}), 'a', 'b', 'c')
  await makeDirectory(dir, 0o750)
  t.equal(statSync(dir).mode & 0o777, 0o750)
  await makeDirectory(dir, 0o700)
  t.equal(statSync(dir).mode & 0o777, 0o750)
})

t.test('where it cannot be made, it ends, and says why', async t => {
  await t.rejects(makeDirectory('/proc/nowhere/at/all', 0o700), { code: 'ENOENT' }, 'where Node itself asks for ever')
  const file = join(t.testdir({}), 'file')
  writeFileSync(file, '')
  await t.rejects(makeDirectory(file, 0o700), { code: 'ENOTDIR' })
  await t.rejects(makeDirectory(join(file, 'below'), 0o700), { code: 'ENOTDIR' })
})
