/** The hub allows a device only so many unfinished uploads. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const fileUploadLimit: Cause = {
  id: 'file-upload-limit',
  family: 'service',
  title: 'Too many unfinished file uploads',
  hubCodes: ['403006'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'The request for an upload is refused with HTTP status 403. The connection itself is not touched.',
    hub: 'Ten uploads of this device that were begun and never reported as finished.',
    log: '403006.',
  },
  meaning:
    'This is not a disconnect. A program asks for uploads and does not report their end; each counts until its time is over.',
  tells: {
    raises: 'HTTP 403 with 403006, and uploads that were begun and never reported.',
    rulesOut: '403 to everything, also to the sign-in.',
  },
  nextSteps: {
    device: [
      'Find the program that uploads files under this identity, and let it report every end (notifyBlobUploadStatus).',
    ],
    portal: ['In the portal, shorten the life of upload tokens in the file upload settings of the hub.'],
  },
  docs: [pages.errorCodes, pages.quotas],
}
