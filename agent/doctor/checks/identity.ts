/** Whether the device knows by now which hub is its own, and with what: asks the provisioning service where there is one. */
import { type Check, failed, ok, warning } from '../check.js'

export const identity: Check = {
  id: 'identity',
  family: 'configuration',
  question: 'Is it known which hub this device belongs to, and until when its credential is good?',
  why: 'A device that is provisioned has no hub until the provisioning service names one; a certificate or a token that has ended is refused.',
  remedies: [
    'Where a provisioning service is asked: check the enrollment, the ID scope and the registration ID in the portal.',
    'Renew the certificate or the token.',
  ],
  needs: ['credential'],
  async ask({ identity, clock }) {
    const { kind, hub, host, gateway, expiresAt, warnings } = await identity()
    const where = gateway ? `${hub}, through the gateway ${host}` : hub
    const info = { hub, host, expiresAt }
    if (warnings.length > 0) return warning([where, ...warnings].join('; '), info)
    if (expiresAt === null) return ok(where, info)
    const leftMs = Date.parse(expiresAt) - clock.now().wallMs
    if (leftMs <= 0)
      return failed(`the credential ended at ${expiresAt}, by the clock of this device`, info, [
        kind === 'x509'
          ? 'Renew the certificate, and put it into the files that the configuration names; a daemon takes it within 30 s.'
          : 'Write a new token into the file that the configuration names, or look at the program that renews it.',
        'Where it should be good still, look at the clock: `timedatectl`.',
      ])
    const days = Math.floor(leftMs / 86_400_000)
    const found = `${where}; the credential ends at ${expiresAt}`
    // A token is renewed by a program, every hour perhaps: only a certificate waits for people.
    return kind === 'x509' && days < noticeDays ? warning(`${found}, in ${days} days`, info) : ok(found, info)
  },
}

const noticeDays = 30
