/** The tap of each protocol, for tests that hold all of them to the same promises. */
import { tapAmqp } from '../../transports/amqp.js'
import { tapAmqpWs } from '../../transports/amqp-ws.js'
import { tapMqtt } from '../../transports/mqtt.js'
import { tapMqttWs } from '../../transports/mqtt-ws.js'
import type { TapFactory } from '../../transports/transport.js'
import type { Protocol } from '../../transports/wire-event.js'

export const taps: Readonly<Record<Protocol, TapFactory>> = {
  mqtt: tapMqtt,
  'mqtt-ws': tapMqttWs,
  amqp: tapAmqp,
  'amqp-ws': tapAmqpWs,
}
