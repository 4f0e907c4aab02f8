/** Messages that wait, and how many were sent today: on disk before one is sent, so that a crash makes no unmarked second one. */
import * as v from 'valibot'
import { keptFile } from '../kept-file.js'
import type { Waiting } from './message.js'

export interface MessageStore {
  waiting(): readonly Waiting[]
  /** At most `waitingMax` are kept: the oldest go. @returns those that went */
  add(message: Waiting): Promise<readonly Waiting[]>
  update(message: Waiting): Promise<void>
  remove(id: string): Promise<void>
  /** Of the day's messages, how many are left: a day is one of UTC, as IoT Hub counts. */
  left(): number
  /** Resolves when all that was changed is on disk. */
  settled(): Promise<void>
  /** One more is about to be sent. On disk when the promise resolves. */
  count(): Promise<void>
}

export const waitingMax = 20

const kept = v.object({
  version: v.literal(1),
  day: v.string(),
  sent: v.pipe(v.number(), v.integer(), v.minValue(0)),
  waiting: v.array(
    v.object({
      id: v.string(),
      cause: v.string(),
      body: v.pipe(v.string(), v.maxLength(4_096)),
      tries: v.pipe(v.number(), v.integer(), v.minValue(0)),
    }),
  ),
})

type Kept = v.InferOutput<typeof kept>

export type MessageStoreOptions = Readonly<{
  /** messages.json */
  path: string
  dailyMax: number
  /** Wall time. */
  nowMs(): number
  warn(message: string, error?: unknown): void
}>

export function openMessageStore({ path, dailyMax, nowMs, warn }: MessageStoreOptions): MessageStore {
  const today = (): string => new Date(nowMs()).toISOString().slice(0, 10)
  const file = keptFile({
    path,
    schema: kept,
    unread: 'messages.json cannot be read: messages that waited are lost, and the day is counted anew',
    unwritten: 'which messages wait cannot be kept over a restart',
    warn,
  })
  let state: Kept = file.read() ?? { version: 1, day: today(), sent: 0, waiting: [] }
  const keep = (next: Kept): Promise<void> => {
    state = next
    return file.keep(next)
  }
  const sentToday = (): number => (state.day === today() ? state.sent : 0)

  return {
    waiting: () => state.waiting,
    async add(message) {
      const all = [...state.waiting, message]
      const gone = all.slice(0, -waitingMax)
      await keep({ ...state, waiting: all.slice(-waitingMax) })
      return gone
    },
    update: message =>
      keep({ ...state, waiting: state.waiting.map(each => (each.id === message.id ? message : each)) }),
    remove: id => keep({ ...state, waiting: state.waiting.filter(each => each.id !== id) }),
    left: () => Math.max(0, dailyMax - sentToday()),
    settled: file.settled,
    count: () => keep({ ...state, sent: sentToday() + 1, day: today() }),
  }
}
