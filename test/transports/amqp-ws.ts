/** What amqp-ws tells of its WebSocket; its packets are those of amqp, which has tests of its own. */
import { holdWebSocket } from '../support/web-sockets.js'

holdWebSocket('amqp-ws')
