/** Every fault of the local hub over amqp: what the wire shows, the verdict, and the way back. */
import { holdConformance } from '../support/hold-conformance.js'

await holdConformance('amqp')
