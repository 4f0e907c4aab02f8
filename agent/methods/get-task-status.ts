/** `GetTaskStatus`: how an upload is going, or how it went. */
import type { Method } from './method.js'
import { readTaskStatus } from './payloads.js'
import { taskAnswer } from './task-answer.js'

export const getTaskStatus: Method = {
  name: 'GetTaskStatus',
  async answer(payload, { outbox }) {
    const { correlationId } = readTaskStatus(payload)
    return taskAnswer(outbox.find(correlationId), correlationId)
  },
}
