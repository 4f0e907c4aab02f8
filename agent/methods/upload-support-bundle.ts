/** `UploadSupportBundle`: a bundle of a window, by the hub's file upload or to a container that the configuration allows. */
import { AgentError } from '../errors.js'
import { pointedAt, windowAround } from '../evidence/around.js'
import { readRecords } from '../evidence/read.js'
import type { Window } from '../evidence/window.js'
import { addressProblem, checkSasUrl, guardLookup, isForbiddenHost } from '../upload/destination.js'
import { type Method, type MethodContext, Refusal } from './method.js'
import { readSupportBundle } from './payloads.js'

/** The answer does not wait longer for a name server; the upload asks again. */
const lookupLimitMs = 2_000

export const uploadSupportBundle: Method = {
  name: 'UploadSupportBundle',
  async answer(payload, context) {
    const { device, uploader, admission, nowMs } = context
    const startedMs = nowMs()
    const { around, sasUrl, ...given } = readSupportBundle(payload, startedMs)
    if (sasUrl !== null) await checkDestination(sasUrl, context)
    else if (device.moduleId !== null) {
      throw new Refusal(400, 'sasUrl: is missing; IoT Hub gives file upload to devices, and this identity is a module')
    }
    const window = around === null ? given.window : await windowOf(around, context, startedMs)
    // Nothing is waited for from here to accept(), so that of two requests at once only one finds it free.
    const busyWith = uploader.busy()
    if (busyWith !== null) throw new Refusal(429, `a bundle is under way: ask GetTaskStatus for ${busyWith}`)
    if (!admission.mayAccept(startedMs)) throw new Refusal(429, 'ten uploads were accepted within the last minute')
    admission.accepted(startedMs)
    const accepting = uploader.accept(
      {
        window: { ...window, until: window.until ?? startedMs },
        requestedBy: 'direct method UploadSupportBundle',
        why: 'asked for from the cloud',
      },
      sasUrl,
    )
    const { correlationId } = await accepting.catch((error: unknown) => {
      throw refusalOf(error)
    })
    return { status: 200, payload: { status: 'Running', message: '', correlationId } }
  },
}

async function windowOf(id: string, { ringDir, readers }: MethodContext, nowMs: number): Promise<Window> {
  if (!readers.enter()) throw new Refusal(429, 'other requests for the ring are being answered')
  const records = readRecords(ringDir, { types: pointedAt })
  const window = await windowAround(records, id, nowMs).finally(() => readers.leave())
  if (window === null) throw new Refusal(400, 'around: no mark and no episode has this id')
  return window
}

async function checkDestination(sasUrl: string, { allowed, lookup }: MethodContext): Promise<void> {
  const checked = checkSasUrl(sasUrl, allowed)
  if ('problem' in checked) throw new Refusal(400, `sasUrl: ${checked.problem}`)
  if (await isForbiddenHost(checked.url, guardLookup(allowed, lookup), lookupLimitMs)) {
    throw new Refusal(400, `sasUrl: ${addressProblem}`)
  }
}

function refusalOf(error: unknown): unknown {
  if (error instanceof AgentError && error.code === 'UPLOAD_REFUSED') return new Refusal(400, error.message)
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === null ? error : new Refusal(500, `the task could not be written down: ${code}`)
}
