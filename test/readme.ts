/** The README's commands are the front door: those that need no device and no cloud are run as they stand there. */
import { exec } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(exec)
const readme = readFileSync('README.md', 'utf8')
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }

const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'))
const local = commands.filter(command => command.startsWith('npm start -- '))

t.test('the two commands of the front door are there, and their scripts too', async t => {
  t.ok(commands.includes('npm ci && npm run demo'))
  t.ok(commands.includes('npm ci && npm test'))
  t.hasProps(scripts, ['demo', 'test', 'start', 'hub', 'check'])
})

t.test('the demo does the main job, and every other local command answers', { timeout: 400_000 }, async t => {
  // `npm ci` has run, or nothing here would; what it is followed by is what is tried.
  const { stdout } = await run('npm run -s demo')
  for (const cause of ['peer-reset', 'link-lost-keepalive', 'dns-failure', 'duplicate-device-id'])
    t.match(stdout, cause)
  t.match(stdout, /is whole:\n {2}\S+hubrec-demo-bundle\.zip/)

  t.ok(local.length >= 5, 'there are commands to run')
  for (const command of local) {
    const { stdout } = await run(command.replace('npm start', 'npm start -s'))
    t.ok(stdout.length > 50, command)
  }
})

t.test('the transcript is of this demo', async t => {
  const transcript = /<!-- transcript -->([\s\S]*)<!-- \/transcript -->/.exec(readme)?.[1] ?? ''
  for (const word of ['what was done', 'what hubrec says', 'dns-failure', 'duplicate-device-id', 'is whole:']) {
    t.match(transcript, word)
  }
})

t.test('every file that it links to is there', async t => {
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => path)
  t.ok(links.length > 3)
  for (const path of links) t.ok(readFileSync(path).length > 100, path)
})
