/** The promises that every wire must keep, held by amqp. */
import { holdRandomWires } from '../support/random-wires.js'

holdRandomWires('amqp', 3)
