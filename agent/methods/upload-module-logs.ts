/** `UploadModuleLogs`: log lines as a file, by the hub's file upload or to a container that the configuration allows. */
import { acceptedAnswer, acceptNothing, acceptUpload, checkDestination } from './accept-upload.js'
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
    // What is written from now on was not asked for, however long the task waits.
    const window = { ...filter?.window, until: filter?.window.until ?? nowMs }
    const asked = { window, requestedBy: 'direct method UploadModuleLogs', why: 'asked for from the cloud' }
    if (filter === null) return acceptedAnswer(await acceptNothing(asked, 'no id matches hubrec', context))
    const logs = { filter: { ...filter, window }, encoding, contentType }
    return acceptedAnswer(await acceptUpload({ ...asked, logs }, sasUrl, context))
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
