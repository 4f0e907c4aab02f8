/** What IoT Hub answers when it refuses: a six-digit code, its name, and an HTTP status. */

import { randomUUID } from 'node:crypto'

const names = {
  400004: 'ArgumentInvalid',
  400006: 'IotHubFormatError',
  401003: 'IotHubUnauthorizedAccess',
  403006: 'DeviceMaximumActiveFileUploadLimitExceeded',
  404001: 'DeviceNotFound',
  404103: 'DeviceNotOnline',
  429001: 'ThrottlingException',
  500001: 'ServerError',
  503000: 'ServiceUnavailable',
  504101: 'GatewayTimeout',
} as const

export type HubCode = keyof typeof names

export class HubError extends Error {
  override readonly name = 'HubError'

  constructor(
    /** Six digits; the first three are the HTTP status. */
    readonly code: number,
    message: string,
    private readonly info: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
  }

  get status(): number {
    return Math.floor(this.code / 1000)
  }

  /** The word in the header `iothub-errorcode`. */
  get word(): string {
    return names[this.code as HubCode] ?? `Error${this.code}`
  }

  /** Errors of direct methods are JSON inside JSON; all others are `ErrorCode:Word;text`. */
  get body(): { Message: string; ExceptionMessage: string } {
    const { code: errorCode, message, info } = this
    const now = new Date().toISOString()
    const trackingId = `${randomUUID().replaceAll('-', '')}-G:0-TimeStamp:${now}`
    return errorCode === 404103 || errorCode === 504101
      ? { Message: JSON.stringify({ errorCode, trackingId, message, info, timestampUtc: now }), ExceptionMessage: '' }
      : { Message: `ErrorCode:${this.word};${message}`, ExceptionMessage: `Tracking ID:${trackingId}` }
  }
}
