/** A message to the cloud, from its making to its acknowledgement. */

export type MessageKind = 'incident' | 'heartbeat'

/** As it lies in messages.json. */
export type Waiting = Readonly<{
  id: string
  cause: string
  /** JSON. */
  body: string
  /** How often it has been handed to a connection: from the second time on it is marked as repeated. */
  tries: number
}>
