/** `CancelTask`: ends an upload before its time; one that is done stays as it was. */
import type { Method } from './method.js'
import { readTaskStatus } from './payloads.js'
import { taskAnswer } from './task-answer.js'

export const cancelTask: Method = {
  name: 'CancelTask',
  async answer(payload, { uploader }) {
    const { correlationId } = readTaskStatus(payload)
    return taskAnswer(await uploader.cancel(correlationId), correlationId)
  },
}
