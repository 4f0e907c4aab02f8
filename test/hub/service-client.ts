/** The stock service SDK, as whoever runs a fleet uses it, led to a local hub. */
import service from 'azure-iothub'
import type { Hub } from './hub.js'

/** It dials port 443 only; its HTTP side takes an agent once it is made. */
export function serviceClient(hub: Pick<Hub, 'serviceConnectionString' | 'agent'>): service.Client {
  const client = service.Client.fromConnectionString(hub.serviceConnectionString)
  const { _restApiClient: rest } = client as unknown as { _restApiClient: { setOptions(options: object): void } }
  rest.setOptions({ http: { agent: hub.agent() } })
  return client
}
