/** The promises that every wire must keep, held by amqp-ws. */
import { holdRandomWires } from '../support/random-wires.js'

holdRandomWires('amqp-ws', 1)
