/** `hubrec doctor`: every question that decides whether this device can reach its hub. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Protocol } from '../../transports/wire-event.js'
import { checks } from '../doctor/checks.js'
import { createFacts, loaded } from '../doctor/facts.js'
import { type Answered, runDoctor } from '../doctor/run.js'
import { linesOf, reportOf, summaryOf } from '../doctor/tell.js'
import { createRedactor, type Redactor } from '../redact.js'
import { type Command, type ExitCode, type Io, text, type Values } from './command.js'
import { sourceOptions } from './options.js'
import { createProgressLine } from './progress-line.js'

const protocols: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

/** Between two looks. */
const watchEveryMs = 5_000

export const doctor: Command = {
  name: 'doctor',
  summary: 'every question that decides whether this device can reach its hub',
  usage: '',
  details:
    'With no credential but the one that is configured, and with that only while no recorder runs. Exits 1 where a check has failed.\n' +
    'With --watch it asks again and again, and prints what has changed; with --json too, one report of that on each line.',
  options: {
    config: sourceOptions.config,
    protocol: { type: 'string', value: 'P', help: `in place of the configured one: ${protocols.join(', ')}` },
    watch: { type: 'boolean', help: 'ask again every 5 s, until Ctrl-C, and print only what changes' },
    'may-disconnect': { type: 'boolean', help: 'sign in although another client of this host may be thrown out' },
  },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    const wanted = text(values, 'protocol')
    const protocol = protocols.find(each => each === wanted)
    if (wanted !== undefined && protocol === undefined) {
      io.complain(`hubrec doctor: --protocol: expected one of ${protocols.join(', ')}`)
      return 2
    }
    return values.watch ? watch(values, protocol, io) : once(values, protocol, io)
  },
}

async function look(
  values: Values,
  protocol: Protocol | undefined,
  io: Io,
  onAnswer: (answered: Answered) => void,
  onAsking: (id: string) => void = () => undefined,
): Promise<Readonly<{ all: readonly Answered[]; redactor: Redactor }>> {
  const facts = createFacts({
    config: () => loaded({ file: text(values, 'config'), env: io.env }),
    env: io.env,
    protocol,
    mayDisconnect: values['may-disconnect'] === true,
    signal: io.signal,
  })
  const redactor = createRedactor(facts.secrets)
  const all = await runDoctor({ facts, checks, signal: io.signal, onAnswer, onAsking: ({ id }) => onAsking(id) })
  return { all, redactor }
}

const exitOf = (all: readonly Answered[]): ExitCode => (all.some(({ answer }) => answer.result === 'failed') ? 1 : 0)

async function once(values: Values, protocol: Protocol | undefined, io: Io): Promise<ExitCode> {
  const progress = io.isTerminal && !values.json ? createProgress() : null
  const { all, redactor } = await look(
    values,
    protocol,
    io,
    ({ check }) => progress?.done(check.id),
    id => progress?.asking(id),
  )
  progress?.end()
  if (values.json) {
    io.print(redactor.json(reportOf(all)))
  } else {
    for (const line of all.flatMap(linesOf)) io.print(redactor.text(line))
    io.print('')
    io.print(summaryOf(all))
  }
  return exitOf(all)
}

async function watch(values: Values, protocol: Protocol | undefined, io: Io): Promise<ExitCode> {
  const unlessAborted = (error: unknown): null => {
    if (io.signal.aborted) return null
    throw error
  }
  let before = new Map<string, string>()
  let all: readonly Answered[] = []
  while (!io.signal.aborted) {
    const looked = await look(values, protocol, io, () => undefined).catch(unlessAborted)
    if (looked === null) break
    all = looked.all
    const changed = all.filter(({ check, answer }) => before.get(check.id) !== answer.result)
    const { redactor } = looked
    if (!values.json) for (const line of changed.flatMap(linesOf)) io.print(redactor.text(line))
    else if (changed.length > 0) io.print(redactor.json(reportOf(changed)))
    before = new Map(all.map(({ check, answer }) => [check.id, answer.result]))
    await sleep(watchEveryMs, undefined, { signal: io.signal }).catch(unlessAborted)
  }
  return exitOf(all)
}

/** Says what is being waited for. */
function createProgress() {
  const line = createProgressLine()
  const open = new Set<string>()
  const show = (): void => line.show(open.size === 0 ? '' : `asking: ${[...open].join(', ')}`)
  return {
    asking(id: string) {
      open.add(id)
      show()
    },
    done(id: string) {
      open.delete(id)
      show()
    },
    end: line.end,
  }
}
