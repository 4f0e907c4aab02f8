/** The protocols that the daemon can speak: each is loaded when it is needed, so that a device on MQTT has no AMQP in its memory. */
import { readFile } from 'node:fs/promises'
import { createAuto, type ProtocolMemory } from '../transports/auto.js'
import { readAddress } from '../transports/connection-string.js'
import type { ProvisioningRoad } from '../transports/provisioning.js'
import type { FindProxy } from '../transports/proxy.js'
import { mqttUpgrade } from '../transports/socket-tap.js'
import type { Chooser, TapFactory } from '../transports/transport.js'
import type { Protocol } from '../transports/wire-event.js'
import type { Config } from './config/config.js'
import { writeFileDurably } from './durable-file.js'

export const loadTap: Readonly<Record<Protocol, () => Promise<TapFactory>>> = {
  mqtt: async () => (await import('../transports/mqtt.js')).tapMqtt,
  'mqtt-ws': async () => (await import('../transports/mqtt-ws.js')).tapMqttWs,
  amqp: async () => (await import('../transports/amqp.js')).tapAmqp,
  'amqp-ws': async () => (await import('../transports/amqp-ws.js')).tapAmqpWs,
}

/** For `auto`: the first is the first choice. */
const order: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

export const firstChoice = (protocol: Config['connection']['protocol']): Protocol =>
  protocol === 'auto' ? (order[0] ?? 'mqtt') : protocol

/** @param isProxied whether there is a proxy for WebSocket */
export const chooseAutomatically = (memory: ProtocolMemory, isProxied: () => boolean): Chooser =>
  createAuto({ ways: order.map(protocol => ({ protocol, load: loadTap[protocol] })), isProxied, memory })

/** A port in the connection string is for MQTT and AMQP; WebSocket has that of HTTPS. */
export function portOf(protocol: Protocol, given: number | null, ports: Config['connection']['ports']): number {
  if (protocol === 'mqtt') return given ?? ports.mqtt
  if (protocol === 'amqp') return given ?? ports.amqp
  return ports.https
}

type Road = Pick<ProvisioningRoad, 'port' | 'dial'>

/**
 * How the provisioning service is asked: over MQTT first where that is spoken, else over WebSocket, because a network with another
 * first choice has mostly shut the port of MQTT; and in the other way where it cannot be reached in this one. A proxy lets
 * nothing through but WebSocket.
 */
export function provisioningRoads(
  { protocol, ports, dps }: Pick<Config['connection'], 'protocol' | 'ports' | 'dps'>,
  findProxy: FindProxy,
): readonly [Road, ...Road[]] {
  const { host = '', port = null } = readAddress('endpoint', dps?.endpoint, true, []) ?? {}
  const proxy = findProxy(host, port ?? ports.https)
  const overWebSocket: Road = { port: ports.https, dial: { proxy, upgrade: mqttUpgrade } }
  if (proxy !== null) return [overWebSocket]
  const overMqtt: Road = { port: ports.mqtt }
  return protocol === 'mqtt' ? [overMqtt, overWebSocket] : [overWebSocket, overMqtt]
}

/**
 * One small file. What cannot be read is not remembered, and what cannot be written is warned of: the connection needs
 * neither.
 */
export function openProtocolMemory(path: string, warn: (message: string, error: unknown) => void): ProtocolMemory {
  return {
    async read() {
      try {
        const { protocol } = JSON.parse(await readFile(path, 'utf8')) as { protocol?: unknown }
        return order.find(name => name === protocol) ?? null
      } catch (error) {
        if (!(error instanceof Error)) throw error
        if (!('code' in error && error.code === 'ENOENT')) warn('which protocol worked before cannot be read', error)
        return null
      }
    },
    async write(protocol) {
      try {
        await writeFileDurably(path, `${JSON.stringify({ protocol })}\n`, 0o600)
      } catch (error) {
        warn('which protocol works cannot be kept', error)
      }
    },
  }
}
