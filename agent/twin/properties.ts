/** All that the desired properties may change, in the order in which it is done. */
import { heartbeat } from './properties/heartbeat.js'
import { ringBudget } from './properties/ring-budget.js'
import { sampleInterval } from './properties/sample-interval.js'
import { uploadQuota } from './properties/upload-quota.js'
import { verboseUntil } from './properties/verbose-until.js'
import { type AnyTwinProperty, anyProperty } from './property.js'

export const twinProperties: readonly AnyTwinProperty[] = [
  anyProperty(sampleInterval),
  anyProperty(verboseUntil),
  anyProperty(ringBudget),
  anyProperty(uploadQuota),
  anyProperty(heartbeat),
]
