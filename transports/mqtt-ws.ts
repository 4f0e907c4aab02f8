/** MQTT over WebSocket: the same packets over another road, through port 443 and any proxy. */
import { tapMqttOver } from './mqtt.js'
import { mqttUpgrade } from './socket-tap.js'
import type { TapFactory } from './transport.js'

export const tapMqttWs: TapFactory = (wiring, listener) =>
  tapMqttOver({ protocol: 'mqtt-ws', upgrade: mqttUpgrade }, wiring, listener)
