import { readFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runProgram } from '../../../agent/bundle/collectors/program.js'
import { processEnd } from '../../support/process-end.js'

const searchPath = process.env.PATH ?? ''

const shell = (script: string) => ({ program: 'sh', arguments: ['-c', script] })

/** What came, and how it ended. */
const outcome = async (output: AsyncIterable<Buffer>) => {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of output) chunks.push(chunk)
    return { text: String(Buffer.concat(chunks)), ended: null }
  } catch (error) {
    const { name, message } = error as Error
    return { text: String(Buffer.concat(chunks)), ended: `${name}: ${message}` }
  }
}

const run = (script: string, timeLimitMs = 30_000, signal = new AbortController().signal) =>
  runProgram(shell(script), { searchPath, timeLimitMs, signal })

t.test('what a program prints comes as it is, without our environment and behind everything else', async t => {
  process.env.HUBREC_CONNECTION_STRING = 'SharedAccessKey=secret'
  t.teardown(() => delete process.env.HUBREC_CONNECTION_STRING)
  const { text, ended } = await outcome(
    run('env; until [ $(nice) = 19 ]; do :; done; nice; pwd; head -c 300000 /dev/zero | tr "\\0" x'),
  )
  t.equal(ended, null)
  t.notMatch(text, /secret/)
  t.match(text, /\n19\n\/\nxxx/)
  t.equal(text.match(/x{1000,}/)?.[0].length, 300_000)
  t.equal(getPriority(), getPriority(process.pid), 'our own priority is what it was')
})

t.test('how it ended is told, after what it had printed', async t => {
  t.strictSame(await outcome(run('echo out; echo why >&2; exit 3')), {
    text: 'out\n',
    ended: 'Error: sh ended with 3: why',
  })
  t.strictSame(await outcome(run('echo out; echo "not all of it" >&2')), {
    text: 'out\n',
    ended: 'Error: sh complained: not all of it',
  })
  t.strictSame(await outcome(run('kill -TERM $$')), { text: '', ended: 'Error: sh was ended by SIGTERM' })
  const alsoFine = runProgram(
    { ...shell('exit 3'), alsoFine: [3] },
    { searchPath, timeLimitMs: 30_000, signal: new AbortController().signal },
  )
  t.strictSame(await outcome(alsoFine), { text: '', ended: null })
  const missing = { program: 'hubrec-has-no-such-program', arguments: [] }
  t.strictSame(
    await outcome(runProgram(missing, { searchPath, timeLimitMs: 30_000, signal: new AbortController().signal })),
    {
      text: '',
      ended: 'Skipped: hubrec-has-no-such-program is not installed',
    },
  )
})

/** A program and its child tell their numbers, and then hang. */
const hanging = async (t: Test) => {
  const dir = t.testdir()
  const numbers = join(dir, 'pids')
  const script = `trap "" TERM INT HUP; sleep 1000 & echo $$ $! > ${numbers}.tmp; mv ${numbers}.tmp ${numbers}; echo begun; wait`
  const pids = async (): Promise<number[]> => (await readFile(numbers, 'utf8')).trim().split(' ').map(Number)
  return { script, pids }
}

t.test('one that hangs ends with its children when its time is over', async t => {
  const { script, pids } = await hanging(t)
  t.strictSame(await outcome(run(script, 1_500)), { text: 'begun\n', ended: 'TimeOver: not done within 1500 ms' })
  for (const pid of await pids()) await processEnd(pid)
})

t.test('it ends with its children when nobody wants it any more, or nobody listens', async t => {
  const stopped = await hanging(t)
  const stop = new AbortController()
  const output = run(stopped.script, 60_000, stop.signal)
  t.equal(String((await output.next()).value), 'begun\n')
  const next = output.next()
  stop.abort(new Error('enough'))
  await t.rejects(next, { message: 'enough' })
  for (const pid of await stopped.pids()) await processEnd(pid)
  await t.rejects(run('echo never', 1_000, stop.signal).next(), { message: 'enough' })

  const left = await hanging(t)
  for await (const chunk of run(left.script, 60_000)) {
    t.equal(String(chunk), 'begun\n')
    break
  }
  for (const pid of await left.pids()) await processEnd(pid)
})

t.test('a child that outlives its program does not hold what it printed', async t => {
  const { text, ended } = await outcome(run('sleep 1000 & echo $!', 60_000))
  t.equal(ended, null)
  await processEnd(Number(text))
})
