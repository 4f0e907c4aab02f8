/** What is answered of a task, whether or not it is known. */
import type { MethodAnswer } from '../../transports/transport.js'
import { type Task, unknownTask, viewOf } from '../upload/task.js'

/** @param correlationId as it was asked for */
export const taskAnswer = (task: Task | null, correlationId: string): MethodAnswer => ({
  status: 200,
  payload: task ? viewOf(task) : unknownTask(ours(correlationId)),
})

/** Only what could be an id of ours is repeated: anything else may be a secret in the wrong field. */
const ours = (text: string): string => (/^[0-9A-Fa-f-]{1,64}$/.test(text) ? text : '')
