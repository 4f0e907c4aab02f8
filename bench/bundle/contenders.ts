/** Ways to pack the same records into one file, each in processes of its own. */
import { execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Figures } from './figures.js'
import type { Prepared } from './prepare.js'

export type Contender = Readonly<{
  name: string
  title: string
  missing?(prepared: Prepared): string | null
  round(prepared: Prepared, file: string): Promise<Figures>
}>

const childFile = fileURLToPath(new URL('child.js', import.meta.url))

const ours =
  (types: string) =>
  async ({ stateDir }: Prepared, file: string): Promise<Figures> => {
    const given = ['--expose-gc', childFile, stateDir, file, types]
    const { stdout } = await promisify(execFile)(process.execPath, given, { maxBuffer: 1 << 24 })
    return (JSON.parse(stdout) as { figures: Figures }).figures
  }

/** At the priority at which ours runs, and with the memory of all its processes. */
async function shell(command: string, file: string): Promise<Figures> {
  const startedMs = performance.now()
  const child = spawn('nice', ['-n', '19', 'sh', '-c', `set -e; ${command}; times`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  const peaks = new Map<number, number>()
  const watching = setInterval(() => {
    for (const pid of descendantsOf(child.pid ?? 0)) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)))
  }, 5)
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  const seconds = (performance.now() - startedMs) / 1e3
  clearInterval(watching)
  if (code !== 0) throw new Error(`${command} ended with ${code}`)
  const memoryBytes = [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0)
  // Its own, and below them its children's: `0m1.23s 0m0.04s` each.
  const used = [...told.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, rest]) => 60 * Number(minutes) + Number(rest))
  const processorSeconds = used.reduce((sum, each) => sum + each, 0)
  return { seconds, processorSeconds, memoryBytes, fileBytes: (await stat(file)).size, stallMs: null }
}

function descendantsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return [pid, ...children.map(Number).flatMap(descendantsOf)]
  } catch {
    // It has ended.
    return []
  }
}

function peakOf(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

export const contenders: readonly Contender[] = [
  { name: 'hubrec', title: 'hubrec bundle, all parts', round: ours('') },
  {
    name: 'hubrec-records',
    title: 'hubrec bundle, records alone',
    round: ours('wire,sample,log,session,episode,gap,clock,context,mark,task,condition,start,stop'),
  },
  {
    name: 'tar',
    title: "tar czf of the ring's text",
    round: ({ textDir }, file) => shell(`tar czf '${file}' -C '${textDir}' .`, file),
  },
  {
    name: 'journal',
    title: 'journalctl -o json, through gzip',
    missing: ({ whyNoJournal }) => whyNoJournal,
    async round({ journalDir }, file) {
      if (journalDir === null || readdirSync(journalDir).length === 0) throw new Error('the journal is empty')
      return shell(`journalctl --directory='${journalDir}' --output=json | gzip > '${file}'`, file)
    },
  },
]

export const forget = (file: string): Promise<void> => rm(file, { force: true })
