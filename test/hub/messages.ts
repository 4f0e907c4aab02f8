/** Messages to the cloud, as the hub would hand them on: whatever the protocol, under the same names. */

export type CloudMessage = Readonly<{
  messageId: string | null
  contentType: string | null
  contentEncoding: string | null
  properties: Readonly<Record<string, string>>
  body: Buffer
}>

/** The newest of an identity. */
const keptMax = 1_000

export class Messages {
  readonly list: CloudMessage[] = []

  add(message: CloudMessage): void {
    this.list.push(message)
    if (this.list.length > keptMax) this.list.shift()
  }
}

/** @param topic `devices/{id}[/modules/{id}]/messages/events/{properties}`, where those of the system begin with `$.` */
export function readTopic(topic: string, body: Buffer): CloudMessage {
  const query = new URLSearchParams(topic.slice(topic.indexOf('/messages/events') + '/messages/events/'.length))
  const properties = [...query].filter(([key]) => !key.startsWith('$.'))
  return {
    messageId: query.get('$.mid'),
    contentType: query.get('$.ct'),
    contentEncoding: query.get('$.ce'),
    properties: Object.fromEntries(properties),
    body,
  }
}
