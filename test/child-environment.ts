/** No program that is started here learns of a secret in our environment. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { childEnvironment } from '../agent/child-environment.js'

t.test('a program sees the path and the time zone, and nothing else', async t => {
  const secret = 'HostName=h;DeviceId=d;SharedAccessKey=YWJjZGVmZ2g='
  const env = {
    PATH: '/usr/bin:/bin',
    TZ: 'Europe/Berlin',
    HUBREC_CONNECTION_STRING: secret,
    NODE_OPTIONS: '--inspect',
  }
  t.strictSame(childEnvironment(env), { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'Europe/Berlin' })
  t.match(childEnvironment({}), { PATH: /\/usr\/bin/, LC_ALL: 'C' })
})

t.test('whoever starts a program or a thread gives it this environment, or none', async t => {
  const sources = ['agent', 'transports'].flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter(path => path.endsWith('.ts'))
      .map(path => join(folder, path)),
  )
  const starting = sources
    .map(file => ({ file, text: readFileSync(file, 'utf8') }))
    .filter(
      ({ text }) =>
        /\b(?:execFile|exec|spawn|fork)\)?\(|new Worker\(/.test(text) && /child_process|worker_threads/.test(text),
    )
  t.ok(starting.length >= 8, starting.map(({ file }) => file).join(' '))
  const wrong = starting.filter(({ text }) => !text.includes('childEnvironment(') && !text.includes('env: {}'))
  t.strictSame(
    wrong.map(({ file }) => file),
    [],
  )
})
