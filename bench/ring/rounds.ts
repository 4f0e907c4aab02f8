/** Runs a measure: every contender in every round, A B C A B C, each in processes of its own. */
import { spawn } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answer, Order } from './child.js'
import { type Contender, Unavailable } from './contender.js'
import type { Figures, Measure, Part, Settings } from './measure.js'

export type Outcome = Readonly<{
  measure: Measure
  /** Each contender's figures, in the order of the rounds. */
  figures: ReadonlyMap<string, readonly Figures[]>
  absent: readonly Absence[]
}>

/** Who has no figures, and why; `null`: nobody has. What has failed is a failure of the bench; the rest is only said. */
export type Absence = Readonly<{ contender: string | null; failed: boolean; why: string }>

export type Surroundings = Readonly<{
  settings: Settings
  /** Exists, and is emptied by its owner. */
  dir: string
  signal: AbortSignal
  progress(text: string): void
}>

export async function runMeasure(
  measure: Measure,
  contenders: readonly Contender[],
  around: Surroundings,
): Promise<Outcome> {
  const { settings, dir, signal, progress } = around
  const missing = measure.missing?.() ?? null
  if (missing !== null)
    return { measure, figures: new Map(), absent: [{ contender: null, failed: false, why: missing }] }

  const absent = new Map<string, Absence>()
  const leave = (contender: string, failed: boolean, why: string) => absent.set(contender, { contender, failed, why })
  /** One who cannot go on takes nobody else's figures along. */
  const attempt = async ({ name }: Contender, act: () => Promise<void>): Promise<void> => {
    if (absent.has(name)) return
    try {
      await act()
    } catch (error) {
      if (signal.aborted) throw error
      leave(name, !(error instanceof Unavailable), error instanceof Error ? error.message : String(error))
    }
  }

  const entered = contenders.filter(({ measures }) => measures.includes(measure.name))
  for (const { name, missing } of entered) {
    const why = missing?.() ?? null
    if (why !== null) leave(name, false, why)
  }

  const { prepare } = measure
  for (const contender of prepare ? entered : []) {
    progress(`${measure.name}: ${contender.name} is prepared`)
    await attempt(contender, async () => {
      await prepare?.(await partFor(measure, contender, 0, join(dir, contender.name), around))
    })
  }

  const rounds = Array.from({ length: settings.rounds }, () => new Map<string, Figures>())
  const play = (contender: Contender, round: number): Promise<void> =>
    attempt(contender, async () => {
      progress(`${measure.name}: round ${round + 1} of ${settings.rounds}, ${contender.name}`)
      const own = join(dir, prepare ? contender.name : `${contender.name}-${round}`)
      const figures = await measure.round(await partFor(measure, contender, prepare ? 0 : round, own, around))
      rounds[round]!.set(contender.name, figures)
      if (!prepare) await rm(own, { recursive: true, force: true })
    })
  const turns = rounds.flatMap((_, round) => entered.map(contender => ({ contender, round })))
  for (const heat of heatsOf(measure, turns)) await allOf(heat.map(({ contender, round }) => play(contender, round)))

  const present = entered.filter(({ name }) => !absent.has(name))
  const settled = rounds.map(all => {
    const round = new Map([...all].filter(([name]) => !absent.has(name)))
    return measure.settle?.(round) ?? round
  })
  const figures = new Map<string, readonly Figures[]>()
  for (const { name } of present) {
    const own = settled.map(round => round.get(name)).filter(found => found !== undefined)
    if (own.length > 0) figures.set(name, own)
  }
  return { measure, figures, absent: [...absent.values()] }
}

type Turn = Readonly<{ contender: Contender; round: number }>

function heatsOf({ together }: Measure, turns: readonly Turn[]): (readonly Turn[])[] {
  switch (together) {
    case 'nobody':
      return turns.map(turn => [turn])
    case 'round':
      return [...new Set(turns.map(({ round }) => round))].map(one => turns.filter(({ round }) => round === one))
    case 'all':
      return [[...turns]]
  }
}

/** All of them come to their end, whatever becomes of one: each has to give back what it took. */
async function allOf(running: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(running)).flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
  if (failures.length > 0) throw failures[0]
}

async function partFor(
  { name }: Measure,
  contender: Contender,
  round: number,
  dir: string,
  { settings, signal }: Surroundings,
): Promise<Part> {
  await mkdir(dir, { recursive: true })
  return {
    contender,
    dir,
    settings,
    child(role, { dir: place = join(dir, 'records'), device = null, dies = false } = {}) {
      const order = { measure: name, role, contender: contender.name, dir: place, seed: 1 + round, settings, device }
      return runChild(order, dies, signal)
    },
  }
}

const childFile = fileURLToPath(new URL('child.js', import.meta.url))

function runChild(order: Order, dies: boolean, signal: AbortSignal): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [childFile, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      signal,
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    let interrupted: Error | null = null
    child.on('error', error => {
      if (child.pid === undefined) reject(error)
      // It is still there, with its files open: what it stands on can be taken away when it has ended.
      interrupted = error
    })
    child.on('close', (code, killedBy) => {
      if (interrupted !== null) return reject(interrupted)
      const asMeant = dies ? killedBy === 'SIGKILL' : code === 0
      if (!asMeant || said === '') {
        reject(new Error(`${order.measure}: ${order.contender} failed at ${order.role} (${killedBy ?? code})`))
        return
      }
      const answer = JSON.parse(said) as Answer
      if ('figures' in answer) resolve(answer.figures)
      else reject(new Unavailable(answer.unavailable))
    })
  })
}
