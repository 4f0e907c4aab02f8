/** The device twin over MQTT: questions by request id, and changes as they come. The SDK's own reader of these topics is taken out. */
import { type Answered, createQuestions } from './questions.js'
import { readTwin, type TwinDocument } from './twin-document.js'

const answerTopic = '$iothub/twin/res/'
const changeTopic = '$iothub/twin/PATCH/properties/desired/'

/** In a SUBACK, and of mqtt.js. */
const refused = 0x80

const lost = new Error('the connection is gone')

/** As much of the SDK's MQTT client as the twin needs. */
export type MqttWire = Readonly<{
  publish(topic: string, text: string, options: Qos & { retain: false }, done: (error?: Error) => void): void
  subscribe(filter: string, options: Qos, done: (error?: Error, granted?: readonly { qos: number }[]) => void): void
}>
type Qos = { qos: 0 }

export interface MqttTwin {
  report(patch: object): Promise<void>
  read(): Promise<TwinDocument>
  /** @returns whether the message was one of the twin's */
  take(topic: string, payload: Buffer): boolean
  /** The session is over. */
  end(): void
}

/** @param onChange told of each change of the desired properties after the first reading, as it came */
export function createMqttTwin(wire: MqttWire, onChange: (patch: unknown) => void): MqttTwin {
  const questions = createQuestions()
  const answers = new Map<string, Answered<Buffer>>()
  /** What was subscribed to, or is just being. */
  const subscriptions = new Map<string, Promise<void>>()
  let requests = 0

  const subscribe = (topic: string): Promise<void> => {
    const known = subscriptions.get(topic)
    if (known) return known
    const subscribed = questions.ask<void>(answered =>
      wire.subscribe(`${topic}#`, { qos: 0 }, (error, granted) => {
        const isRefused = granted?.some(({ qos }) => qos >= refused)
        answered(error ?? (isRefused ? new Error(`the hub does not grant the subscription to ${topic}#`) : null))
      }),
    )
    subscriptions.set(topic, subscribed)
    subscribed.catch(() => subscriptions.delete(topic))
    return subscribed
  }

  const request = async (topic: string, body: string): Promise<Buffer> => {
    await subscribe(answerTopic)
    requests += 1
    const id = `twin-${requests}`
    return questions
      .ask<Buffer>(answered => {
        answers.set(id, answered)
        wire.publish(`${topic}/?$rid=${id}`, body, { qos: 0, retain: false }, error => {
          if (error) answered(error)
        })
      })
      .finally(() => answers.delete(id))
  }

  const answer = (rest: string, payload: Buffer): void => {
    const [status = '', query = ''] = rest.split('/?', 2)
    const answered = answers.get(new URLSearchParams(query).get('$rid') ?? '')
    if (Number(status) >= 200 && Number(status) < 300) answered?.(null, payload)
    else answered?.(new Error(`the hub answered with status ${status.slice(0, 8)}`))
  }

  return {
    async report(patch) {
      await request('$iothub/twin/PATCH/properties/reported', JSON.stringify(patch))
    },
    async read() {
      // Before the question: what changes in between is then told of, and its version says on which side of the answer it stands.
      await subscribe(changeTopic)
      return readTwin(JSON.parse((await request('$iothub/twin/GET', '')).toString()))
    },
    take(topic, payload) {
      if (topic.startsWith(answerTopic)) answer(topic.slice(answerTopic.length), payload)
      else if (topic.startsWith(changeTopic)) onChange(parse(payload))
      else return false
      return true
    },
    end: () => questions.giveUp(lost),
  }
}

/** `null` for what cannot be read: that there was a change is news all the same. */
function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
