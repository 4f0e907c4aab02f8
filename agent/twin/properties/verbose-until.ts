/** An end and not a duration: the twin says the same for months, and a device that starts again must not begin anew. */
import { raisedMs } from '../../verbosity.js'
import { timeWithin } from '../check.js'
import type { TwinProperty } from '../property.js'

export const verboseUntil: TwinProperty<string | null> = {
  name: 'verboseUntil',
  check: timeWithin(raisedMs.max),
  standard: () => null,
  keepsItself: true,
  apply: (until, { raiseVerbosity }) => raiseVerbosity(until),
}
