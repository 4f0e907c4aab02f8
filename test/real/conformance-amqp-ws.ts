/** Every fault of the local hub over amqp-ws: what the wire shows, the verdict, and the way back. */
import { holdConformance } from '../support/hold-conformance.js'

await holdConformance('amqp-ws')
