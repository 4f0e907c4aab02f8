/** The promises that every wire must keep, held by mqtt-ws. */
import { holdRandomWires } from '../support/random-wires.js'

holdRandomWires('mqtt-ws', 1)
