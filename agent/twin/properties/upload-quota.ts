import { wholeNumber } from '../check.js'
import type { TwinProperty } from '../property.js'

export const uploadQuota: TwinProperty<number> = {
  name: 'uploadQuotaBytes',
  check: wholeNumber(1_048_576, 2 ** 30),
  standard: ({ upload }) => upload.quotaBytes,
  apply: (bytes, { setOutboxQuota }) => setOutboxQuota(bytes),
}
