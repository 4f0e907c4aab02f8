/** Whether a token that is made from the key would hold: the hub's own sum, done here. */
import { type Check, failed, ok, skipped, warning } from '../check.js'

/** As IoT Hub makes its keys; an operator's own may be longer or shorter. */
const usualKeyBytes: readonly number[] = [32, 64]

export const token: Check = {
  id: 'token',
  family: 'configuration',
  question: 'Does a token that is made from the key verify with it?',
  why: 'What is signed with a key that lost a character is refused, and the hub does not say why.',
  remedies: ['Copy the key of the device again from the portal, whole, with the `=` at its end.'],
  needs: ['identity'],
  async ask({ identity }) {
    const { kind, tokenHolds, keyBytes } = await identity()
    if (tokenHolds !== null) {
      if (!tokenHolds()) return failed('it does not')
      if (keyBytes === null || usualKeyBytes.includes(keyBytes)) return ok('it does')
      return warning(
        `it does; the key has ${keyBytes} bytes, and those that IoT Hub makes have ${usualKeyBytes.join(' or ')}: characters of it may be missing`,
        { keyBytes },
      )
    }
    if (kind === 'x509') return skipped('there is none: the hub knows this device by its certificate')
    return skipped(kind === 'edge' ? 'IoT Edge signs, and keeps the key' : 'somebody else makes it, and has the key')
  },
}
