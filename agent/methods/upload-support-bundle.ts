/** `UploadSupportBundle`: a bundle of a window, by the hub's file upload or to a container that the configuration allows. */
import { acceptBundle, acceptedAnswer } from './accept-upload.js'
import type { Method } from './method.js'
import { readSupportBundle } from './payloads.js'

export const uploadSupportBundle: Method = {
  name: 'UploadSupportBundle',
  async answer(payload, context) {
    const asked = { requestedBy: 'direct method UploadSupportBundle', why: 'asked for from the cloud' }
    return acceptedAnswer(await acceptBundle(readSupportBundle(payload, context.nowMs()), asked, context))
  },
}
