/** A second client with somebody else's identity: the card that was cloned. It comes back whenever it is thrown out. */
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

/** How long it is away between two visits. */
const returnsAfterMs = 700

export type RivalOptions = Readonly<{
  port: number
  caFile: string
  hostName: string
  deviceId: string
  token(): string
}>

/** @returns ends the rivalry */
export function startRival({ port, caFile, hostName, deviceId, token }: RivalOptions): () => Promise<void> {
  // It dials the door by address and is told the name to verify, because it must not depend on the demo's resolver.
  const tls = { servername: hostName }
  const client = mqtt.connect(`mqtts://127.0.0.1:${port}`, {
    ...tls,
    ca: readFileSync(caFile),
    clientId: deviceId,
    username: `${hostName}/${deviceId}/?api-version=2021-04-12`,
    password: token(),
    clean: false,
    reconnectPeriod: returnsAfterMs,
  })
  // Being thrown out is what it is here for.
  client.on('error', () => undefined)
  return () => new Promise(resolve => client.end(true, {}, () => resolve()))
}
