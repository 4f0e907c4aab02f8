/** What is done to the connections, to both sides' at the same moment. */

import { startRival } from '../../test/demo/rival.js'
import type { Fault as HubFault } from '../../test/hub/faults.js'
import type { Hub } from '../../test/hub/hub.js'
import type { NameServer } from '../../test/hub/name-server.js'
import type { Protocol } from '../../transports/wire-event.js'

/** Where a fault strikes: the doors of these devices, and the name server that only their processes ask. */
export type Stage = Readonly<{ hub: Hub; names: NameServer; deviceIds: readonly string[] }>

export type Fault = Readonly<{
  name: string
  /** For the table: what is done. */
  title: string
  protocols: readonly Protocol[]
  /** How long it holds: not at all, for its own time, or for as long as the settings say. */
  holds: 'instant' | Readonly<{ ms: number }> | 'lasting'
  /** Whether the long form has it too. */
  long?: boolean
  /** What has to stand before it strikes and disturbs nobody until then. */
  prepare?(stage: Stage): Promise<void>
  strike(stage: Stage): Promise<void>
  heal?(stage: Stage): Promise<void>
}>

const all: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']
const mqttBoth: readonly Protocol[] = ['mqtt', 'mqtt-ws']
const amqpBoth: readonly Protocol[] = ['amqp', 'amqp-ws']
const webSockets: readonly Protocol[] = ['mqtt-ws', 'amqp-ws']

const doors = ({ hub, deviceIds }: Stage) => deviceIds.map(deviceId => hub.door(deviceId))

const set = async (stage: Stage, fault: HubFault): Promise<void> => {
  await Promise.all(doors(stage).map(door => door.set(fault)))
}

const heal = async (stage: Stage): Promise<void> => {
  await Promise.all(doors(stage).map(door => door.heal()))
}

const cut = async (stage: Stage, how: 'fin' | 'rst' = 'fin'): Promise<void> => {
  for (const door of doors(stage)) door.cut(how)
}

/** What is open is cut by FIN, of which the SDK comes back by itself, and from then on new connections meet the fault. */
const metByNewOnes = (fault: HubFault): Pick<Fault, 'holds' | 'prepare' | 'strike' | 'heal'> => ({
  holds: 'lasting',
  prepare: stage => set(stage, fault),
  strike: stage => cut(stage),
  heal,
})

const atOnce = (fault: HubFault): Pick<Fault, 'holds' | 'strike' | 'heal'> => ({
  holds: 'instant',
  strike: stage => set(stage, fault),
  heal,
})

/** With how long it takes to start a hub again. */
const restartMs = 2_000

/** How long the second client of the identity is there. */
const rivalMs = 10_000

function takeOver(): Pick<Fault, 'holds' | 'strike' | 'heal'> {
  const ends = new Map<Stage, () => Promise<unknown>>()
  return {
    holds: { ms: rivalMs },
    async strike(stage) {
      const { hub } = stage
      const rivals = stage.deviceIds.map(deviceId =>
        startRival({
          port: hub.door(deviceId).port,
          caFile: hub.caFile,
          hostName: hub.hostName,
          deviceId,
          token: () => hub.sasToken({ deviceId }),
        }),
      )
      ends.set(stage, () => Promise.all(rivals.map(end => end())))
    },
    async heal(stage) {
      await ends.get(stage)?.()
      ends.delete(stage)
    },
  }
}

/** Of AMQP, as IoT Hub gives them; without one there is no error. */
const conditions = [
  undefined,
  'amqp:unauthorized-access',
  'amqp:link:stolen',
  'amqp:connection:forced',
  'amqp:resource-limit-exceeded',
  'com.microsoft:timeout',
  'com.microsoft:device-container-throttled',
  'amqp:link:detach-forced',
] as const

const amqpEndings: readonly Fault[] = [
  { kind: 'amqpClose', name: 'close', title: 'AMQP close' } as const,
  { kind: 'amqpEnd', name: 'end', title: 'AMQP end' } as const,
  { kind: 'amqpDetach', link: 'methods', name: 'detach', title: 'both methods links detached' } as const,
].flatMap(({ name, title, ...fault }) =>
  conditions.map(condition => ({
    name: `${name}-${condition?.replace(/.*:/, '') ?? 'plain'}`,
    title: `${title}, ${condition ?? 'no error'}`,
    protocols: amqpBoth,
    ...atOnce({ ...fault, times: 1, ...(condition === undefined ? {} : { condition }) }),
  })),
)

export const faults: readonly Fault[] = [
  { name: 'fin', title: 'FIN', protocols: all, holds: 'instant', strike: stage => cut(stage, 'fin') },
  { name: 'rst', title: 'RST', protocols: all, holds: 'instant', strike: stage => cut(stage, 'rst') },
  {
    name: 'restart',
    title: 'the hub restarts: FIN, and refused for 2 s',
    protocols: all,
    ...metByNewOnes({ kind: 'refuse' }),
    holds: { ms: restartMs },
  },
  { name: 'take-over', title: 'a second client for 10 s', protocols: all, long: true, ...takeOver() },
  ...amqpEndings,
  ...(['receiver', 'sender'] as const).map(
    (role): Fault => ({
      name: `detach-${role}`,
      title: `methods ${role} alone detached, no error`,
      protocols: amqpBoth,
      ...atOnce({ kind: 'amqpDetach', link: 'methods', role, times: 1 }),
    }),
  ),
  { name: 'refused', title: 'connections refused', protocols: all, long: true, ...metByNewOnes({ kind: 'refuse' }) },
  { name: 'unanswered', title: 'SYN not answered', protocols: all, ...metByNewOnes({ kind: 'unanswered' }) },
  ...(['both', 'towardHub', 'towardDevice'] as const).map(
    (direction): Fault => ({
      name: `black-hole-${{ both: 'both', towardHub: 'to-hub', towardDevice: 'to-device' }[direction]}`,
      title: `black hole, ${{ both: 'both ways', towardHub: 'toward the hub', towardDevice: 'toward the device' }[direction]}`,
      protocols: all,
      long: direction === 'both',
      holds: 'lasting',
      strike: stage => set(stage, { kind: 'blackHole', direction }),
      heal,
    }),
  ),
  {
    name: 'dns',
    title: 'the name does not resolve',
    protocols: all,
    holds: 'lasting',
    prepare: async ({ names }) => names.set('nxdomain'),
    strike: stage => cut(stage),
    heal: async ({ names }) => names.set('answer'),
  },
  { name: 'tls-silent', title: 'TLS not answered', protocols: all, ...metByNewOnes({ kind: 'silent' }) },
  {
    name: 'expired',
    title: 'certificate of the hub expired',
    protocols: all,
    ...metByNewOnes({ kind: 'certificate', certificate: 'expired' }),
  },
  ...([3, 5] as const).map(
    (code): Fault => ({
      name: `connack-${code}`,
      title: `CONNACK ${code}`,
      protocols: mqttBoth,
      ...metByNewOnes({ kind: 'connack', code }),
    }),
  ),
  ...[401, 503].map(
    (status): Fault => ({
      name: `cbs-${status}`,
      title: `put-token ${status}`,
      protocols: amqpBoth,
      ...metByNewOnes({ kind: 'cbs', status }),
    }),
  ),
  {
    name: 'cbs-silent',
    title: 'put-token not answered',
    protocols: amqpBoth,
    ...metByNewOnes({ kind: 'cbsSilent' }),
  },
  { name: 'no-open', title: 'AMQP open not answered', protocols: amqpBoth, ...metByNewOnes({ kind: 'noOpen' }) },
  {
    name: 'upgrade-503',
    title: 'WebSocket upgrade 503',
    protocols: webSockets,
    ...metByNewOnes({ kind: 'upgrade', status: 503 }),
  },
]
