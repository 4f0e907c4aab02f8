/** All checks. What one needs stands before it, and otherwise in the order in which a reader should see them. */
import type { Check } from './check.js'
import { clockPlausible } from './checks/clock-plausible.js'
import { clockReferences } from './checks/clock-references.js'
import { clockSynchronised } from './checks/clock-synchronised.js'
import { configuration } from './checks/configuration.js'
import { controlHost } from './checks/control-host.js'
import { credential } from './checks/credential.js'
import { daemon } from './checks/daemon.js'
import { disk } from './checks/disk.js'
import { dps } from './checks/dps.js'
import { gateway } from './checks/gateway.js'
import { hubName } from './checks/hub-name.js'
import { identity } from './checks/identity.js'
import { link } from './checks/link.js'
import { methods } from './checks/methods.js'
import { mtu } from './checks/mtu.js'
import { otherClients } from './checks/other-clients.js'
import { portal } from './checks/portal.js'
import { power } from './checks/power.js'
import { proxy } from './checks/proxy.js'
import { resolvers } from './checks/resolvers.js'
import { ring } from './checks/ring.js'
import { roots } from './checks/roots.js'
import { route } from './checks/route.js'
import { sdkVersions } from './checks/sdk-versions.js'
import { signIn } from './checks/sign-in.js'
import { storage } from './checks/storage.js'
import { tcp } from './checks/tcp.js'
import { tls } from './checks/tls.js'
import { token } from './checks/token.js'
import { unit } from './checks/unit.js'
import { webSocket } from './checks/websocket.js'

export const checks: readonly Check[] = [
  configuration,
  credential,
  // Before what is judged by the time.
  clockPlausible,
  clockSynchronised,
  clockReferences,
  dps,
  identity,
  token,
  link,
  route,
  gateway,
  mtu,
  controlHost,
  portal,
  proxy,
  resolvers,
  hubName,
  tcp('mqtt'),
  tls('mqtt'),
  tcp('amqp'),
  tls('amqp'),
  tcp('mqtt-ws'),
  tls('mqtt-ws'),
  webSocket,
  roots,
  storage,
  otherClients,
  daemon,
  signIn,
  disk,
  power,
  sdkVersions,
  methods,
  ring,
  unit,
]
