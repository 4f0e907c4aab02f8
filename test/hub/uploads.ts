/** File uploads that are under way or done, and IoT Hub's limit on them. */

import { randomUUID } from 'node:crypto'
import type { Tell } from './events.js'
import { HubError } from './hub-error.js'

export type Upload = {
  readonly deviceId: string
  readonly correlationId: string
  readonly containerName: string
  /** Begins with the device's id, as IoT Hub names blobs. */
  readonly blobName: string
  /** Without a signature. */
  readonly blobUri: string
  /** `null` until the device has notified. */
  isSuccess: boolean | null
  statusCode: number | null
  statusDescription: string | null
}

export type Notification = Readonly<{ isSuccess: boolean; statusCode: number; statusDescription: string }>

/** A device may have so many uploads that it has not notified of. */
const activeLimit = 10

export class Uploads {
  readonly list: Upload[] = []

  constructor(private readonly tell: Tell) {}

  /** @throws HubError 403006 when the device has too many uploads under way */
  begin(deviceId: string, containerName: string, name: string, blobUri: (blobName: string) => string): Upload {
    const active = this.list.filter(upload => upload.deviceId === deviceId && upload.isSuccess === null)
    if (active.length >= activeLimit) {
      throw new HubError(403006, `Number of active file upload requests cannot exceed ${activeLimit}`)
    }
    const blobName = `${deviceId}/${name}`
    const text = `${new Date().toISOString().replace(/\D/g, '').slice(0, 12)}_${randomUUID()}_${name}_ver2.0`
    const upload: Upload = {
      deviceId,
      correlationId: Buffer.from(text).toString('base64'),
      containerName,
      blobName,
      blobUri: blobUri(blobName),
      isSuccess: null,
      statusCode: null,
      statusDescription: null,
    }
    this.list.push(upload)
    this.tell({ type: 'uploadStarted', deviceId, correlationId: upload.correlationId, blobName })
    return upload
  }

  /** @throws HubError 400004 when this device has no such upload, or has notified of it already */
  finish(deviceId: string, correlationId: string, notification: Notification): void {
    const upload = this.list.find(
      ({ deviceId: id, correlationId: known, isSuccess }) =>
        id === deviceId && known === correlationId && isSuccess === null,
    )
    if (!upload) throw new HubError(400004, 'the correlation id belongs to no upload that is under way')
    Object.assign(upload, notification)
    this.tell({ type: 'uploadDone', deviceId, correlationId, ...notification })
  }
}
