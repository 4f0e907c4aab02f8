/** Every fault of the local hub over mqtt-ws: what the wire shows, the verdict, and the way back. */
import { holdConformance } from '../support/hold-conformance.js'

await holdConformance('mqtt-ws')
