/** Advice in the names of this device's hub, and of nothing that a shell would take for more than a name. */
import t from 'tap'
import { addressed, dialledIn, withPortal } from '../../agent/diagnosis/addressed.js'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import { evidenceOf, hub, lost, nowMs, timedOutAt } from '../support/evidence.js'

const advice = 'Run `openssl s_client -connect HUB:8883 -servername HUB`, then `az iot hub show -n HUBNAME`.'
const dialledAs = (host: string, port = 443) => dialledIn(evidenceOf({ failed: [timedOutAt('tcp', { host, port })] }))

t.test('commands can be copied as they stand', async t => {
  t.equal(
    addressed(advice, dialledAs(hub)),
    `Run \`openssl s_client -connect ${hub}:443 -servername ${hub}\`, then \`az iot hub show -n my-hub\`.`,
  )
  t.equal(
    addressed(advice, dialledAs('edge-gateway', 8883)),
    'Run `openssl s_client -connect edge-gateway:8883 -servername edge-gateway`, then `az iot hub show -n HUBNAME`.',
    'what a gateway stands for is not known',
  )
  t.equal(addressed(advice, dialledIn(evidenceOf())), advice, 'nothing was dialled')
  t.equal(
    addressed(advice, dialledIn(evidenceOf({ cameBack: { protocol: 'mqtt', host: hub, port: 8883, proxy: null } }))),
    `Run \`openssl s_client -connect ${hub}:8883 -servername ${hub}\`, then \`az iot hub show -n my-hub\`.`,
  )
})

t.test('a name that is none is not put into a command', async t => {
  for (const host of ['', 'x; reboot', '$(id)', '`id`', '-oProxyCommand=x', 'a b', 'hub\nreboot', `${'x'.repeat(300)}`])
    t.equal(addressed(advice, dialledAs(host)), advice, JSON.stringify(host))
})

t.test('the first step that leads to the portal says which one', async t => {
  const steps = ['Look at the cable.', 'In the portal, open the device.', 'In the portal, open the hub.']
  t.strictSame(withPortal(steps, dialledAs('h.azure-devices.us')), [
    'Look at the cable.',
    'In the portal (portal.azure.us), open the device.',
    'In the portal, open the hub.',
  ])
  t.strictSame(withPortal(steps, dialledAs('h.example')), steps)
  t.strictSame(withPortal([], dialledAs(hub)), [])
})

t.test('what befell the host is told once, whatever moments it is told by', async t => {
  const silence = { how: 'timeout', by: 'us', reason: 'silence', silentMs: 90_000 } as const
  const changes = [
    { what: 'routeChanged', from: 'eth0 via 192.0.2.1', to: null, seenMs: nowMs - 80_000 },
    { what: 'routeChanged', from: 'eth0 via 192.0.2.1', to: null, seenMs: nowMs - 20_000 },
  ] as const
  const { evidence } = diagnose(
    evidenceOf({ ending: lost(silence), host: { changes, state: null, lastGood: null } }),
  ).verdict
  t.equal(evidence.filter(each => each.includes('went away')).length, 1, evidence.join('\n'))
})
