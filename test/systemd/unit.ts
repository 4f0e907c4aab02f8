/** What systemd itself says of the unit. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' })
const skip = analyze('--version').status === 0 ? false : 'systemd-analyze is not here'

const exposureMax = 1.2

t.test(`the exposure of the service is at most ${exposureMax}`, { skip }, async t => {
  const { stdout, stderr } = analyze('security', '--offline=true', '--no-pager', 'systemd/hubrec.service')
  const exposure = Number(/Overall exposure level for hubrec.service: ([\d.]+)/.exec(stdout)?.[1])
  t.ok(exposure > 0, stdout + stderr)
  t.ok(exposure <= exposureMax, stdout)
})

t.test('systemd understands every line of the unit', { skip }, async t => {
  const unit = readFileSync('systemd/hubrec.service', 'utf8')
  // The command itself need not be installed here.
  const dir = t.testdir({ 'hubrec.service': unit.replace('/usr/bin/hubrec', '/bin/true') })
  const verified = analyze('verify', '--man=no', join(dir, 'hubrec.service'))
  t.strictSame([verified.status, verified.stderr], [0, ''])
})

const sysusers = spawnSync('systemd-sysusers', ['--version']).status === 0 ? false : 'systemd-sysusers is not here'

t.test('the group of the sockets is made by systemd-sysusers', { skip: sysusers }, async t => {
  const root = t.testdir({})
  mkdirSync(join(root, 'etc'))
  for (const name of ['passwd', 'group', 'shadow', 'gshadow']) writeFileSync(join(root, 'etc', name), '')
  const made = spawnSync('systemd-sysusers', [`--root=${root}`, join(process.cwd(), 'systemd/hubrec.sysusers')], {
    encoding: 'utf8',
  })
  t.equal(made.status, 0, made.stderr)
  t.match(readFileSync(join(root, 'etc/group'), 'utf8'), /^hubrec:x:\d+:$/m)
  t.equal(readFileSync(join(root, 'etc/passwd'), 'utf8'), '', 'and no user')
})
