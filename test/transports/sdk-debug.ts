/** What the SDK says to whoever debugs it is heard and not printed, and DEBUG means what it always did. */
import debug from 'debug'
import t from 'tap'
import { listenToSdk } from '../../transports/sdk-debug.js'

type Line = readonly [namespace: string, text: string]

/** What is heard, and what `debug` writes to stderr in the meantime. */
function hear(act: () => void): { heard: Line[]; printed: string } {
  const heard: Line[] = []
  let printed = ''
  const { write } = process.stderr
  process.stderr.write = ((text: string) => {
    printed += text
    return true
  }) as typeof write
  const stop = listenToSdk((namespace, text) => heard.push([namespace, text]))
  try {
    act()
  } finally {
    stop()
    process.stderr.write = write
  }
  return { heard, printed }
}

/** Runs while the environment asks for these. */
function asking(namespaces: string, act: () => void): void {
  const { DEBUG } = process.env
  debug.enable(namespaces)
  try {
    act()
  } finally {
    debug.disable()
    if (DEBUG === undefined) delete process.env.DEBUG
    else process.env.DEBUG = DEBUG
  }
}

// Made before anybody listens, as those of modules are that were loaded before.
const client = debug('mqttjs:client')
const parser = debug('mqtt-packet:parser')
const other = debug('somebody:else')

t.test('the Azure packages and mqtt.js are heard, others are not, and nothing is printed', async t => {
  const told = hear(() => {
    client('close :: connected set to `%s`', false)
    debug('azure-iot-device-mqtt:Mqtt')('connected -> disconnecting')
    debug('azure-iot-device:DeviceClient:Errors')(new TypeError('of the SDK').message)
    parser('_parseBuffer: result: %o', Buffer.from('the token, byte by byte'))
    debug('azure-iot-amqp-base:Amqp')('connected -> disconnecting')
    debug('rhea:frames')('%j', Buffer.from('the token, byte by byte'))
    other('not ours')
  })
  t.strictSame(told, {
    heard: [
      ['mqttjs:client', 'close :: connected set to `false`'],
      ['azure-iot-device-mqtt:Mqtt', 'connected -> disconnecting'],
      ['azure-iot-device:DeviceClient:Errors', 'of the SDK'],
      ['azure-iot-amqp-base:Amqp', 'connected -> disconnecting'],
    ],
    printed: '',
  })
  t.equal(process.env.DEBUG, undefined, 'children do not inherit what we listen to')
})

t.test('before and after the listening it is as if nobody had ever listened', async t => {
  t.equal(client.enabled, false)
  hear(() => t.equal(client.enabled, true))
  t.equal(client.enabled, false)
  hear(() => t.equal(client.enabled, true, 'a second time, too'))
  t.equal(client.enabled, false)
})

t.test('a payload is told by its length, wherever it stands', async t => {
  const payload = '{"note":"private"}'
  const { heard } = hear(() => {
    client('sendPacket :: packet: %O', { cmd: 'publish', topic: 'a/%24.ct=b/%s', payload, qos: 0 })
    client('_handlePublish: packet %o', { cmd: 'publish', payload: Buffer.from(payload) })
    client('publish :: message `%s` to topic `%s`', payload, 'a/b')
    client('parsing %s', Buffer.from(payload))
    client('a long text: %s', 'x'.repeat(2_000))
  })
  t.strictSame(heard, [
    [
      'mqttjs:client',
      "sendPacket :: packet: { cmd: 'publish', topic: 'a/%24.ct=b/%s', payload: '<18 bytes>', qos: 0 }",
    ],
    ['mqttjs:client', "_handlePublish: packet { cmd: 'publish', payload: '<18 bytes>' }"],
    ['mqttjs:client', 'publish :: message `<18 bytes>` to topic `a/b`'],
    ['mqttjs:client', 'parsing <18 bytes>'],
    ['mqttjs:client', 'a long text: <2000 bytes>'],
  ])
})

t.test('an object that cannot be read does not fail the SDK', async t => {
  const trap = {
    payload: '',
    get broken(): string {
      throw new RangeError('no')
    },
  }
  const { heard } = hear(() => client('%O', trap))
  t.strictSame(heard, [['mqttjs:client', '<unreadable: RangeError>']])
})

t.test('what DEBUG asks for is printed as ever, and not heard', async t => {
  asking('mqttjs:client,somebody:*', () => {
    const { heard, printed } = hear(() => {
      client('packet: %o', { payload: 'as it is' })
      other('printed, too')
      debug('mqttjs:tls')('only heard')
    })
    t.strictSame(heard, [['mqttjs:tls', 'only heard']])
    t.match(printed, /mqttjs:client.* packet: \{ payload: 'as it is' \}/)
    t.match(printed, /somebody:else.* printed, too/)
    t.notMatch(printed, /only heard/)
    t.equal(process.env.DEBUG, 'mqttjs:client,somebody:*')
  })
})
