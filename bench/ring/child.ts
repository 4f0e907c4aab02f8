/** One contender's part of a measure, in a process of its own, so that nobody runs on what another left in the heap. */
import { mkdirSync, writeSync } from 'node:fs'
import { argv, exit } from 'node:process'
import { Unavailable } from './contender.js'
import { contenderNamed } from './contenders.js'
import type { Job } from './measure.js'
import { measures } from './measures.js'

/** What the parent writes on the command line, as JSON. */
export type Order = Omit<Job, 'contender'> & Readonly<{ measure: string; role: string; contender: string }>

/** What the child's last line says, as JSON. */
export type Answer = Readonly<{ figures: Record<string, number> } | { unavailable: string }>

const { measure, role, contender, ...job } = JSON.parse(argv[2] ?? '{}') as Order
const act = measures.find(({ name }) => name === measure)?.roles[role]
if (!act) throw new Error(`${measure} has no role ${role}`)
mkdirSync(job.dir, { recursive: true })

const who = contenderNamed(contender)
who.load?.()
const answer = await act({ ...job, contender: who }).then(
  (figures): Answer => ({ figures }),
  (error: unknown): Answer => {
    if (error instanceof Unavailable) return { unavailable: error.message }
    throw error
  },
)
writeSync(1, `${JSON.stringify(answer)}\n`)
// Whatever a contender keeps open has had its time.
exit(0)
