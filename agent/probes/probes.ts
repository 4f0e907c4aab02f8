/** All probes, in the order in which their answers are recorded. */
import { connect } from './connect.js'
import { control } from './control.js'
import { gateway } from './gateway.js'
import { httpDate } from './http-date.js'
import { portal } from './portal.js'
import type { Probe } from './probe.js'
import { proxy } from './proxy.js'
import { resolve } from './resolve.js'
import { tls } from './tls.js'

export const probes: readonly Probe[] = [gateway, resolve, connect, tls, proxy, control, portal, httpDate]
