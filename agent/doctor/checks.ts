/** All checks. What one needs stands before it, and otherwise in the order in which a reader should see them. */
import type { Check } from './check.js'
import { clockPlausible, clockReferences, clockSynchronised } from './checks/clock.js'
import { configuration } from './checks/configuration.js'
import { credential, identity } from './checks/credential.js'
import { disk, power, sdk } from './checks/host.js'
import { mtu } from './checks/mtu.js'
import { hubName, resolvers } from './checks/names.js'
import { otherClients } from './checks/other-clients.js'
import { ports } from './checks/ports.js'
import { daemon, methods, ring } from './checks/recorder.js'
import { roots } from './checks/roots.js'
import { gateway, link, route } from './checks/route.js'
import { dps, storage } from './checks/services.js'
import { signIn } from './checks/sign-in.js'
import { token } from './checks/token.js'
import { unit } from './checks/unit.js'
import { webSocket } from './checks/upgrade.js'
import { control, portal, proxy } from './checks/way.js'

export const checks: readonly Check[] = [
  configuration,
  credential,
  dps,
  identity,
  token,
  clockPlausible,
  clockSynchronised,
  clockReferences,
  link,
  route,
  gateway,
  mtu,
  control,
  portal,
  proxy,
  resolvers,
  hubName,
  ...ports,
  webSocket,
  roots,
  storage,
  otherClients,
  signIn,
  disk,
  power,
  sdk,
  daemon,
  methods,
  ring,
  unit,
]
