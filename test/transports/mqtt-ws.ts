/** What mqtt-ws tells of its WebSocket; its packets are those of mqtt, which has tests of its own. */
import { holdWebSocket } from '../support/web-sockets.js'

holdWebSocket('mqtt-ws')
