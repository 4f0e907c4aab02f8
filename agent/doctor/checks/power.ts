/** Whether a Raspberry Pi has the power that it needs. */
import { power as powerReading, type Throttled } from '../../evidence/samples/power.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

export const power: Check = {
  id: 'power',
  family: 'host',
  question: 'Is the supply of this Raspberry Pi strong enough?',
  why: 'A weak supply makes radios, USB modems and SD cards fail in ways that look like anything else.',
  remedies: [
    'Use the supply that belongs to this model, and a short thick cable.',
    'Give USB modems a supply of their own.',
  ],
  needs: [],
  async ask(facts) {
    const found = (await powerReading.read(readingContext(facts))) as Partial<Throttled> | null
    if (found === null) return skipped('this host does not measure it')
    if (found.underVoltage) return failed('the voltage is too low now', found)
    return found.underVoltageSeen
      ? warning('the voltage has been too low since this host booted', found)
      : ok('it is', found)
  },
}
