/** AMQP over WebSocket: the same frames over another road, through port 443 and any proxy. */
import { tapAmqpOver } from './amqp.js'
import type { TapFactory } from './transport.js'

export const tapAmqpWs: TapFactory = (wiring, listener) =>
  tapAmqpOver(
    { protocol: 'amqp-ws', upgrade: { path: '/$iothub/websocket', subprotocol: 'AMQPWSB10' } },
    wiring,
    listener,
  )
