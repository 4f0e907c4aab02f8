/** What is reported of this device, as maps and objects because a twin's queries cannot look into arrays. Pure. */
import type { Condition } from '../conditions.js'
import type { RingState } from '../ring/ring.js'
import type { TaskView } from '../upload/task.js'
import type { Versions } from '../versions.js'
import type { Json } from './patch.js'
import type { Tally } from './tally.js'

export type ReportedFacts = Readonly<{
  versions: Versions
  protocol: string
  tally: Tally
  conditions: readonly Condition[]
  ring: RingState
  outbox: Readonly<{ waiting: number; bytes: number }>
  /** The newest that is not done, else the last. */
  task: TaskView | null
}>

/** Strings in a twin may have 4 KiB, all of it 32 KiB. */
const textMax = 500

/** What moves all the time is rounded, so that it is no news every minute. */
const ringStepPercent = 10

export function reportedState({ versions, protocol, tally, conditions, ring, outbox, task }: ReportedFacts): Json {
  const { hubrec, sdk, node, os } = versions
  const filled = (ring.bytes / ring.budgetBytes) * 100
  return {
    versions: { hubrec, sdk: sdk.device ?? 'unknown', node, os: os.slice(0, textMax) },
    session: { protocol, ...(tally.since === null ? {} : { since: tally.since }) },
    counts: { since: tally.countedSince, outages: tally.outages, awaySeconds: Math.round(tally.awayMs / 1e3) },
    ...(tally.lastOutage === null ? {} : { lastOutage: tally.lastOutage }),
    lastVerdicts: tally.lastVerdicts,
    conditions: Object.fromEntries(
      conditions.map(({ code, severity, since, text }) => [code, { severity, since, text: text.slice(0, textMax) }]),
    ),
    ring: {
      mode: ring.mode,
      filledPercent: Math.min(100, Math.floor(filled / ringStepPercent) * ringStepPercent),
      lostRecords: ring.lostUnsaid,
    },
    outbox: { waiting: outbox.waiting, bytes: outbox.bytes },
    ...(task === null ? {} : { task: taskOf(task) }),
  }
}

function taskOf({ correlationId, status, message, bytesDone, bytesTotal, blobName }: TaskView): Json {
  const known = { bytesDone, bytesTotal, blobName: blobName?.slice(0, textMax) ?? null }
  return {
    correlationId,
    status,
    message: message.slice(0, textMax),
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null)),
  }
}
