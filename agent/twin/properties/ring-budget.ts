/** Not above a gibibyte: whoever writes the twin does not know how large the disk is. */
import { wholeNumber } from '../check.js'
import type { TwinProperty } from '../property.js'

export const ringBudget: TwinProperty<number> = {
  name: 'ringBudgetBytes',
  check: wholeNumber(262_144, 2 ** 30),
  standard: ({ ring }) => ring.budgetBytes,
  apply: (bytes, { setRingBudget }) => setRingBudget(bytes),
}
