/** `GetTaskStatus`: how an upload is going, or how it went. */
import { unknownTask, viewOf } from '../upload/task.js'
import type { Method } from './method.js'
import { readTaskStatus } from './payloads.js'

export const getTaskStatus: Method = {
  name: 'GetTaskStatus',
  async answer(payload, { outbox }) {
    const { correlationId } = readTaskStatus(payload)
    const task = outbox.find(correlationId)
    return { status: 200, payload: task ? viewOf(task) : unknownTask(ours(correlationId)) }
  },
}

/** Only what could be an id of ours is repeated: anything else may be a secret in the wrong field. */
const ours = (text: string): string => (/^[0-9A-Fa-f-]{1,64}$/.test(text) ? text : '')
