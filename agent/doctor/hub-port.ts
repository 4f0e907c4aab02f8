/** The three ports by which a hub is reached; two protocols share that of the web. */
import { portOf } from '../protocols.js'
import type { Facts } from './facts.js'

const titles = { mqtt: 'MQTT', amqp: 'AMQP', 'mqtt-ws': 'WebSocket' } as const
const words = { mqtt: 'mqtt', amqp: 'amqp', 'mqtt-ws': 'websocket' } as const

export type Over = keyof typeof titles

export const titleOf = (over: Over): string => titles[over]

/** The last part of the ids of its checks. */
export const wordOf = (over: Over): string => words[over]

/** `isNeeded`: whether a protocol that uses it is to work. */
export async function hubPort(
  { config, identity, protocols }: Facts,
  over: Over,
): Promise<Readonly<{ port: number; isNeeded: boolean }>> {
  const [{ config: found }, { port }, wanted] = await Promise.all([config(), identity(), protocols()])
  const isNeeded = wanted.some(each => each === over || (over === 'mqtt-ws' && each === 'amqp-ws'))
  return { port: portOf(over, port, found.connection.ports), isNeeded }
}
