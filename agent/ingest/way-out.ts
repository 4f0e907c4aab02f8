/** Where an application's events go: to the daemon, or to a ring of the application's own where there is none. */
import { join } from 'node:path'
import type { Clock } from '../../transports/clock.js'
import { flatten } from '../../transports/failure.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { hubrecVersion } from '../own-version.js'
import { readSdkVersions } from '../sdk-versions.js'
import { type ClientOptions, createIngestClient } from './client.js'
import { type Hello, ingestVersion, type Numbered, type Resumed } from './messages.js'
import type { OwnRing } from './own-ring.js'
import { ownProcess } from './process-alive.js'

export type WayOutOptions = Readonly<{
  name: string
  socket: string
  /** `null`: what no daemon takes is dropped, once there is no room for it. */
  directory: string | null
  clock: Clock
  warn(message: string): void
  failed(error: unknown): void
  delaysMs?: ClientOptions['delaysMs']
}>

export interface WayOut {
  tell(lane: number, inc: number, event: WireEvent): void
  /** For the end of the process. */
  bye(exitCode: number, crashed: string | null): void
}

export function openWayOut({ name, socket, directory, clock, warn, failed, delaysMs }: WayOutOptions): WayOut {
  let ring: OwnRing | null = null
  let opening = false
  let warned = false

  // What hubrec's library would load need not be what the application does.
  const sdk = readSdkVersions(process.argv[1] ?? import.meta.url)
  const hello = (): Hello => {
    const { wallMs, monoMs } = clock.now()
    return {
      type: 'hello',
      version: ingestVersion,
      name,
      ...ownProcess(),
      versions: { hubrec: hubrecVersion(), node: process.versions.node, sdk },
      clock: { wallMs, monoMs, bootId: clock.bootId },
    }
  }
  const warnOnce = (message: string): void => {
    if (warned) return
    warned = true
    warn(message)
  }

  const openRing = async (dir: string): Promise<void> => {
    opening = true
    try {
      const { openOwnRing } = await import('./own-ring.js')
      const opened = await openOwnRing(join(dir, name), hello())
      if (client.divert(message => opened.take(message as Numbered | Resumed))) ring = opened
      else await opened.close('the daemon is there')
    } catch (error) {
      const { code, message } = flatten(error)
      warnOnce(
        `no daemon answers at ${socket}, and ${dir} cannot be used (${code ?? message}): "${name}" is not recorded`,
      )
    } finally {
      opening = false
    }
  }

  const client = createIngestClient({
    path: socket,
    hello,
    ...(delaysMs ? { delaysMs } : {}),
    onAlone: () => {
      if (directory === null) {
        warnOnce(`no daemon answers at ${socket}: "${name}" is recorded only as far as there is room until one does`)
      } else if (ring === null && !opening) void openRing(directory)
    },
    onFailure: failed,
    onDaemon: () => {
      const closing = ring
      ring = null
      closing?.close('the daemon is there').catch(failed)
    },
  })

  return {
    tell: (lane, inc, event) => client.tell(lane, inc, event),
    bye(exitCode, crashed) {
      client.bye({ exitCode, crashed })
      if (crashed === null) ring?.bye(`exit ${exitCode}`)
    },
  }
}
