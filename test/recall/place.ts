/** The verbose file lies in memory or nowhere: it would wear a flash out. */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findPlace, leavePlace, sharedMemoryDir } from '../../agent/recall/place.js'

const isTmpfs = (dir: string): boolean => statfsSync(dir).type === 0x01021994
const skip = isTmpfs('/dev/shm') ? false : 'no shared memory here: not tested on this machine'

/** In memory, and gone afterwards. */
function inMemory(t: Test): string {
  const dir = mkdtempSync('/dev/shm/hubrec-test-')
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** On a disk; the tests' own directory is, unless somebody runs them from memory. */
const onDisk = (t: Test): string => t.testdir()

t.test('a runtime directory in memory is the place, and the file is named after its socket', { skip }, async t => {
  const runtime = inMemory(t)
  t.strictSame(await findPlace({ controlSocket: join(runtime, 'control.sock'), stateDir: onDisk(t) }), {
    dir: runtime,
    name: 'control',
    own: false,
  })
})

t.test('else a directory of our own in shared memory, the same at the next start', { skip }, async t => {
  const [memory, stateDir] = [inMemory(t), onDisk(t)]
  if (isTmpfs(stateDir)) return t.comment('the tests run from memory')
  const place = await findPlace({ controlSocket: join(stateDir, 'control.sock'), stateDir }, memory)
  t.strictSame(place, { dir: await sharedMemoryDir(stateDir, memory), name: 'control', own: true })
  t.equal(statSync(place!.dir).mode & 0o777, 0o700)
  const link = join(stateDir, 'link')
  symlinkSync(stateDir, link)
  t.strictSame(await findPlace({ controlSocket: join(stateDir, 'control.sock'), stateDir: link }, memory), place)

  writeFileSync(join(place!.dir, 'file'), '')
  await leavePlace(place!)
  t.ok(statSync(place!.dir).isDirectory(), 'not while there is something in it')
  rmSync(join(place!.dir, 'file'))
  await leavePlace(place!)
  t.throws(() => statSync(place!.dir), { code: 'ENOENT' })
  await leavePlace(place!)
})

t.test('what somebody else has put there under our name is not used', { skip }, async t => {
  const [memory, stateDir] = [inMemory(t), onDisk(t)]
  if (isTmpfs(stateDir)) return t.comment('the tests run from memory')
  const asked = { controlSocket: join(stateDir, 'control.sock'), stateDir }
  const dir = await sharedMemoryDir(stateDir, memory)
  mkdirSync(join(memory, 'elsewhere'))
  symlinkSync(join(memory, 'elsewhere'), dir)
  t.equal(await findPlace(asked, memory), null, 'a link')
  rmSync(dir)
  writeFileSync(dir, '')
  t.equal(await findPlace(asked, memory), null, 'a file')
})

t.test('without memory there is no place', async t => {
  const stateDir = onDisk(t)
  if (isTmpfs(stateDir)) return t.comment('the tests run from memory')
  const asked = { controlSocket: join(stateDir, 'control.sock'), stateDir }
  t.equal(await findPlace(asked, stateDir), null, 'shared memory that is none')
  t.equal(await findPlace(asked, join(stateDir, 'missing')), null)
  t.equal(await findPlace({ ...asked, controlSocket: '/nowhere/control.sock' }, join(stateDir, 'missing')), null)
})
