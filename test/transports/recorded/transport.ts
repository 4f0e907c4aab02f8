/** What fails in us, or is not known to us, is never the application's trouble. */
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Recorder } from '../../../transports/recorded/recorder.js'
import { watchedTransport } from '../../../transports/recorded/transport.js'

/** As much of a transport of the SDK as is looked for. */
class Transport extends EventEmitter {
  readonly client = Object.assign(new EventEmitter(), { stream: new EventEmitter() })
  readonly asked: unknown[][] = []
  readonly _mqtt = Object.assign(new EventEmitter(), {
    mqttProvider: {
      connect: (...given: unknown[]) => {
        this.asked.push(given)
        return this.client
      },
    },
    updateSharedAccessSignature: (...given: unknown[]) => this.asked.push(given),
    disconnect: (...given: unknown[]) => this.asked.push(given),
  })

  constructor(readonly given: unknown) {
    super()
  }

  connect(done?: (error: Error | null, result?: unknown) => void): string {
    done?.(new Error('no'), 'result')
    return 'answered'
  }
}

const failing = (failures: unknown[]): Recorder => ({
  clock: {
    now: () => {
      throw new Error('no clock')
    },
    bootId: '',
  },
  incarnation: () => ({
    attempt: () => {
      throw new Error('no attempt')
    },
  }),
  failed: error => void failures.push(error),
})

t.test('an observer that fails is told to us, and to nobody else', async t => {
  const failures: unknown[] = []
  const Recorded = watchedTransport(Transport, failing(failures), () => t.fail('it is known'))
  const transport = new Recorded('authentication')
  t.equal(transport.given, 'authentication')
  const answers: unknown[] = []
  t.equal(
    transport.connect((error, result) => void answers.push(error?.message, result)),
    'answered',
  )
  t.strictSame(answers, ['no', 'result'])
  t.equal(transport.connect(), 'answered', 'a call without a callback is one without a callback')
  const options = { username: 'hub/device' }
  t.equal(transport._mqtt.mqttProvider.connect('mqtts://localhost:1', options), transport.client)
  t.strictSame(transport.asked, [['mqtts://localhost:1', options]])
  transport._mqtt.disconnect('odd', 1)
  t.strictSame(transport.asked.at(-1), ['odd', 1])
  t.ok(failures.length > 0)
})

t.test('an SDK that is not known is used as it is, and that is said', async t => {
  class Future extends EventEmitter {
    readonly works = true
  }
  let unknown = 0
  const Recorded = watchedTransport(Future, failing([]), () => {
    unknown += 1
  })
  const made = new Recorded()
  t.ok(made.works)
  t.ok(made instanceof Future)
  t.strictSame(made.eventNames(), [])
  t.equal(unknown, 1)
})
