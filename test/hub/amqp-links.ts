/** What the links of one AMQP connection do: sign-in, methods, twin, messages to the cloud. */

import rhea, { type AmqpError, type EventContext, type Message, type Receiver, type Sender, type Session } from 'rhea'
import { type LinkName, type LinkRole, parseAddress } from './amqp-dialect.js'
import type { AmqpHappening, Identity } from './events.js'
import type { Faults } from './faults.js'
import type { Registered } from './identities.js'
import type { MethodRequest } from './sessions.js'
import { parseObject } from './twin.js'

/** IoT Hub's limit for a message. */
const messageBytesLimit = 256 * 1024

export type AmqpLinksOptions = Readonly<{
  faults: Faults
  registered(identity: Identity): Registered | undefined
  /** @returns what the put-token is answered by; `null` for nothing */
  putToken(name: string, token: string): { status: number; description: string } | null
  /** @returns whether the client has signed in as this identity */
  claim(identity: Identity): boolean
  delivered(requestId: string): void
  answered(requestId: string, answer: { status: number; payload: Buffer }): void
  /** A message to the cloud was taken. */
  received(identity: Identity): void
  tell(happening: AmqpHappening): void
}>

type RheaLink = Sender | Receiver
type Link = Readonly<{ link: LinkName; identity: Identity | null; role: LinkRole; rheaLink: RheaLink }>

export class AmqpLinks {
  readonly #up = new Map<RheaLink, Link>()
  /** Method requests by the correlation id that went out with each. */
  readonly #requests = new Map<string, string>()
  #wantsDesired = false

  constructor(private readonly options: AmqpLinksOptions) {}

  /** @returns whether the link stays */
  attached(rheaLink: RheaLink): boolean {
    const role: LinkRole = rheaLink.is_receiver() ? 'sender' : 'receiver'
    const address = (role === 'sender' ? rheaLink.target?.address : rheaLink.source?.address) ?? ''
    const parsed = parseAddress(address, role)
    if (!parsed) {
      rheaLink.close({ condition: 'amqp:not-found', description: 'There is nothing at this address.' })
      return false
    }
    const { link, identity } = parsed
    if (identity && !this.options.claim(identity)) {
      rheaLink.close({ condition: 'amqp:unauthorized-access', description: 'Unauthorized access.' })
      return false
    }
    if (rheaLink.source?.address) rheaLink.set_source({ address: rheaLink.source.address })
    if (rheaLink.target?.address) rheaLink.set_target({ address: rheaLink.target.address })
    this.#up.set(rheaLink, { link, identity, role, rheaLink })
    return true
  }

  /** The device has detached it, or has answered our own detach. */
  gone(rheaLink: RheaLink): void {
    this.#up.delete(rheaLink)
  }

  forget(session: Session): void {
    for (const rheaLink of [...this.#up.keys()]) if (rheaLink.session === session) this.#up.delete(rheaLink)
  }

  matches(rheaLink: RheaLink, link: LinkName | 'all', role: LinkRole | undefined): boolean {
    const found = this.#up.get(rheaLink)
    if (!found || (role !== undefined && found.role !== role)) return false
    return link === 'all' ? found.link !== '$cbs' : found.link === link
  }

  has(link: LinkName | 'all', role: LinkRole | undefined): boolean {
    return [...this.#up.keys()].some(rheaLink => this.matches(rheaLink, link, role))
  }

  detach(link: LinkName | 'all', role: LinkRole | undefined, error: AmqpError | undefined): void {
    for (const rheaLink of [...this.#up.keys()]) {
      if (this.matches(rheaLink, link, role)) this.detachOne(rheaLink, error)
    }
  }

  detachOne(rheaLink: RheaLink, error: AmqpError | undefined): void {
    this.#up.delete(rheaLink)
    if (error) rheaLink.close(error)
    else rheaLink.close()
  }

  invoke({ id, methodName, payload }: MethodRequest): void {
    const sender = this.#sender('methods')
    if (!sender) return
    const correlationId = rhea.generate_uuid()
    this.#requests.set(correlationId, id)
    sender.send(
      message({
        correlation_id: rhea.string_to_uuid(correlationId),
        application_properties: { 'IoThub-methodname': methodName },
        body: rhea.message.data_section(payload),
      }),
    )
    this.options.delivered(id)
  }

  desiredChanged(patch: object): void {
    if (!this.#wantsDesired) return
    this.#sender('twin')?.send(
      message({
        message_annotations: { resource: '/properties/desired' },
        body: rhea.message.data_section(Buffer.from(JSON.stringify(patch))),
      }),
    )
  }

  received({ receiver, message: received, delivery }: EventContext): void {
    const found = receiver && this.#up.get(receiver)
    if (!found || !received || !delivery) return
    if (bodyOf(received).length > messageBytesLimit) {
      const description = `A message is limited to ${messageBytesLimit} bytes.`
      this.detachOne(receiver, { condition: 'amqp:link:message-size-exceeded', description })
      return
    }
    if (found.link === 'events') {
      const fault = this.options.faults.strike('rejectSends')
      if (fault) {
        const { condition, description = null } = fault
        this.options.tell({ type: 'rejected', link: 'events', condition, description })
        delivery.reject({ condition, ...(description === null ? {} : { description }) })
        return
      }
    }
    delivery.accept()
    if (found.link === 'events') this.#toCloud(received, found.identity!)
    else if (found.link === '$cbs') this.#putToken(received)
    else if (found.link === 'methods') this.#methodAnswer(received)
    else if (found.link === 'twin') this.#twin(received, found.identity!)
  }

  #toCloud(message: Message, identity: Identity): void {
    const text = (value: unknown): string | null => (value === undefined || value === null ? null : String(value))
    this.options.registered(identity)?.messages.add({
      messageId: text(message.message_id),
      contentType: text(message.content_type),
      contentEncoding: text(message.content_encoding),
      properties: Object.fromEntries(Object.entries(propertiesOf(message)).map(([key, value]) => [key, String(value)])),
      body: bodyOf(message),
    })
    this.options.received(identity)
  }

  #putToken(request: Message): void {
    const { operation, name } = propertiesOf(request)
    const body = bodyOf(request).toString()
    const answer =
      operation === 'put-token'
        ? this.options.putToken(String(name ?? ''), body)
        : { status: 400, description: 'Expected put-token.' }
    if (!answer) return
    this.#sender('$cbs')?.send(
      message({
        correlation_id: request.message_id,
        application_properties: {
          'status-code': rhea.types.wrap_int(answer.status),
          'status-description': answer.description,
        },
        body: '',
      }),
    )
  }

  #methodAnswer(answer: Message): void {
    const { correlation_id: id } = answer
    const correlationId = Buffer.isBuffer(id) && id.length === 16 ? rhea.uuid_to_string(id) : String(id)
    const requestId = this.#requests.get(correlationId)
    this.#requests.delete(correlationId)
    const status = Number(propertiesOf(answer)['IoThub-status'])
    if (requestId !== undefined) this.options.answered(requestId, { status, payload: bodyOf(answer) })
  }

  #twin(request: Message, identity: Identity): void {
    const registered = this.options.registered(identity)
    const { operation, resource } = annotationsOf(request)
    const answer = (status: number, content = '', version?: number) => {
      this.#sender('twin')?.send(
        message({
          correlation_id: request.correlation_id,
          message_annotations: {
            status: rhea.types.wrap_int(status),
            ...(version === undefined ? {} : { version: rhea.types.wrap_long(version) }),
          },
          body: rhea.message.data_section(Buffer.from(content)),
        }),
      )
    }
    const toDesired = resource === '/notifications/twin/properties/desired'
    if (!registered) answer(404)
    else if (operation === 'GET') {
      const { desired, reported } = registered.twin
      answer(200, JSON.stringify({ desired, reported }))
    } else if (operation === 'PATCH' && resource === '/properties/reported') {
      const patch = parseObject(bodyOf(request))
      if (patch) answer(204, '', registered.twin.patchReported(patch))
      else answer(400)
    } else if (toDesired && (operation === 'PUT' || operation === 'DELETE')) {
      this.#wantsDesired = operation === 'PUT'
      answer(200)
    } else answer(400)
  }

  /** The newest of this name that the device receives by. */
  #sender(link: LinkName): Sender | undefined {
    const found = [...this.#up.values()].findLast(up => up.link === link && up.role === 'receiver')
    return found?.rheaLink as Sender | undefined
  }
}

/** Rhea encodes any object with these fields, and declares that it wants two methods, too. */
const message = (fields: Readonly<Record<string, unknown>>): Message => fields as unknown as Message

const propertiesOf = ({ application_properties: properties }: Message): Record<string, unknown> => properties ?? {}

const annotationsOf = ({ message_annotations: annotations }: Message): Record<string, unknown> => annotations ?? {}

/** Data, or text as a value, which is how tokens come. */
function bodyOf({ body }: Message): Buffer {
  const content: unknown = body?.content ?? body ?? ''
  if (Buffer.isBuffer(content)) return content
  return Array.isArray(content) ? Buffer.concat(content) : Buffer.from(String(content))
}
