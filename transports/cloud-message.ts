/** A message as the SDK takes it. */
import common from 'azure-iot-common'
import type { CloudMessage } from './transport.js'

export function sdkMessage({ id, body, properties }: CloudMessage): InstanceType<typeof common.Message> {
  const message = new common.Message(body)
  message.messageId = id
  // Without them the hub cannot route by what is in the body.
  message.contentType = 'application/json'
  message.contentEncoding = 'utf-8'
  for (const [key, value] of Object.entries(properties)) message.properties.add(key, value)
  return message
}
