/** `UploadSupportBundle`: a bundle of a window, by the hub's file upload or to a container that the configuration allows. */
import { pointedAt, windowAround } from '../evidence/around.js'
import { readRecords } from '../evidence/read.js'
import type { Window } from '../evidence/window.js'
import { acceptedAnswer, acceptUpload, checkDestination } from './accept-upload.js'
import { type Method, type MethodContext, Refusal } from './method.js'
import { readSupportBundle } from './payloads.js'

export const uploadSupportBundle: Method = {
  name: 'UploadSupportBundle',
  async answer(payload, context) {
    const nowMs = context.nowMs()
    const { around, sasUrl, types, bytesMax, ...given } = readSupportBundle(payload, nowMs)
    await checkDestination(sasUrl, context)
    const window = around === null ? given.window : await windowOf(around, context, nowMs)
    const request = {
      window: { ...window, until: window.until ?? nowMs },
      requestedBy: 'direct method UploadSupportBundle',
      why: 'asked for from the cloud',
      ...(types === null ? {} : { types }),
      ...(bytesMax === null ? {} : { bytesMax }),
    }
    return acceptedAnswer(await acceptUpload(request, sasUrl, context))
  },
}

async function windowOf(id: string, { ringDir, readers }: MethodContext, nowMs: number): Promise<Window> {
  if (!readers.enter()) throw new Refusal(429, 'other requests for the ring are being answered')
  const records = readRecords(ringDir, { types: pointedAt })
  const window = await windowAround(records, id, nowMs).finally(() => readers.leave())
  if (window === null) throw new Refusal(400, 'around: no mark and no episode has this id')
  return window
}
