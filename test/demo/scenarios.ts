/** What the demo does to the connections, each to hubrec's and to the stock application's at the same time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub } from '../hub/hub.js'
import type { NameServer } from '../hub/name-server.js'
import { startRival } from './rival.js'

export type Stage = Readonly<{ hub: Hub; names: NameServer; deviceIds: readonly string[] }>

export type Scenario = Readonly<{
  /** For the table: what was done. */
  done: string
  /** Strikes, holds as long as it says, and heals; resolves when the fault is over. */
  strike(stage: Stage): Promise<void>
}>

const doors = ({ hub, deviceIds }: Stage) => deviceIds.map(deviceId => hub.door(deviceId))

export const scenarios: readonly Scenario[] = [
  {
    done: 'RST: the connection is reset',
    strike: async stage => {
      for (const door of doors(stage)) door.cut('rst')
    },
  },
  {
    done: 'black hole: nothing is forwarded for 6 s, nothing is closed',
    strike: async stage => {
      await Promise.all(doors(stage).map(door => door.set({ kind: 'blackHole', direction: 'both' })))
      await sleep(6_000)
      await Promise.all(doors(stage).map(door => door.heal()))
    },
  },
  {
    done: 'DNS: the connection is cut, and for 6 s the name does not resolve',
    strike: async stage => {
      stage.names.set('nxdomain')
      for (const door of doors(stage)) door.cut('fin')
      await sleep(6_000)
      stage.names.set('answer')
    },
  },
  {
    done: 'twin: for 10 s a second client uses the same identity',
    strike: async ({ hub, deviceIds }) => {
      const rivals = deviceIds.map(deviceId =>
        startRival({
          port: hub.door(deviceId).port,
          caFile: hub.caFile,
          hostName: hub.hostName,
          deviceId,
          token: () => hub.sasToken({ deviceId }),
        }),
      )
      await sleep(10_000)
      await Promise.all(rivals.map(end => end()))
    },
  },
]
