/** `UploadModuleLogs`: log lines as a file, by the hub's file upload or to a container that the configuration allows. */
import { randomUUID } from 'node:crypto'
import { acceptUpload, checkDestination, runningAnswer } from './accept-upload.js'
import { isMeant } from './log-text.js'
import type { Method, MethodContext } from './method.js'
import { type ModuleLogsPayload, readUploadModuleLogs } from './payloads.js'

export const uploadModuleLogs: Method = {
  name: 'UploadModuleLogs',
  async answer(payload, context) {
    const nowMs = context.nowMs()
    const { items, encoding, contentType, sasUrl } = readUploadModuleLogs(payload, nowMs)
    await checkDestination(sasUrl, context)
    const filter = await filterOf(items, context)
    // As IoT Edge's agent does: nothing to do is done at once, under an id that nobody needs to know.
    if (filter === null) {
      return {
        status: 200,
        payload: { status: 'Completed', message: 'no id matches hubrec', correlationId: randomUUID() },
      }
    }
    // What is written from now on was not asked for, however long the task waits.
    const window = { ...filter.window, until: filter.window.until ?? nowMs }
    const request = {
      window,
      requestedBy: 'direct method UploadModuleLogs',
      why: 'asked for from the cloud',
      logs: { filter: { ...filter, window }, encoding, contentType },
    }
    return runningAnswer(await acceptUpload(request, sasUrl, context))
  },
}

/** Of several items that mean this module the first one counts, as for IoT Edge's agent. */
async function filterOf(items: ModuleLogsPayload['items'], { patterns }: MethodContext) {
  for (const { id, filter } of items) {
    if (!(await isMeant(id, patterns))) continue
    // An expression that cannot be read is refused now, and not when the file is made.
    if (filter.regex !== null) patterns.matcher('items.filter.regex', filter.regex)
    return filter
  }
  return null
}
