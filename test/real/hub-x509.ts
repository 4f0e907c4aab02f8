/** The local hub takes client certificates as IoT Hub does: the stock SDK signs in with one, and a wrong one is hung up on. */

import deviceSdk from 'azure-iot-device'
import { Amqp, AmqpWs } from 'azure-iot-device-amqp'
import { Mqtt, MqttWs } from 'azure-iot-device-mqtt'
import t, { type Test } from 'tap'
import type { KeyPair } from '../hub/certificates.js'
import { makeSelfSigned, thumbprintOf } from '../hub/client-certificates.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
const agent = hub.agent()
t.teardown(() => {
  agent.destroy()
  return hub.close()
})

const clientOf = (t: Test, deviceId: string) => {
  const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Mqtt)
  t.teardown(() => client.close())
  return client
}

/** The stock client, open with this certificate. */
const open = async (t: Test, deviceId: string, { cert, key }: KeyPair) => {
  const client = clientOf(t, deviceId)
  await client.setOptions({ ca: hub.ca, cert, key })
  await client.open()
  return client
}

/** What the hub keeps to itself about a refusal. */
const whyRefused = (deviceId: string, from: number) =>
  hub.log.flatMap(event =>
    event.n >= from && event.type === 'connect' && event.deviceId === deviceId ? [[event.code, event.why]] : [],
  )

t.test('a device known by its thumbprint connects, and answers a method', async t => {
  const own = await makeSelfSigned('pump-1')
  await hub.addDevice('pump-1', { x509: { thumbprints: [thumbprintOf(own)] } })
  t.match(hub.connectionString('pump-1'), /^HostName=localhost:\d+;DeviceId=pump-1;x509=true$/)
  const client = await open(t, 'pump-1', own)
  const subscribed = hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'pump-1')
  client.onDeviceMethod('greet', (_request, response) => response.send(200, 'hello'))
  await subscribed
  t.strictSame(await hub.invokeMethod({ deviceId: 'pump-1' }, { methodName: 'greet' }), {
    status: 200,
    payload: 'hello',
  })
})

t.test('a device of the registered authority connects with any certificate that carries its name', async t => {
  await hub.addDevice('pump-2', { x509: 'ca' })
  await (await open(t, 'pump-2', await hub.issueClientCertificate('pump-2'))).close()
  await open(t, 'pump-2', await hub.issueClientCertificate('pump-2', [-1, 30]))
})

const refusals: Record<string, { certificate: () => Promise<KeyPair>; why: string }> = {
  'of another device': {
    certificate: () => hub.issueClientCertificate('pump-4'),
    why: 'the client certificate is for pump-4',
  },
  'of an authority that is not registered': {
    certificate: () => makeSelfSigned('pump-3'),
    why: 'the client certificate is of an authority that is not registered',
  },
  'that has ended': {
    certificate: () => hub.issueClientCertificate('pump-3', [-20, -1]),
    why: 'the client certificate has ended, or has not begun',
  },
}
await hub.addDevice('pump-3', { x509: 'ca' })
for (const [name, { certificate, why }] of Object.entries(refusals)) {
  t.test(`a certificate ${name} is hung up on without a CONNACK`, async t => {
    const from = hub.log.length
    await t.rejects(open(t, 'pump-3', await certificate()))
    t.strictSame(whyRefused('pump-3', from), [[null, why]])
  })
}

t.test('another thumbprint is refused, until it is registered', async t => {
  const [old, renewed] = [await makeSelfSigned('pump-5'), await makeSelfSigned('pump-5')]
  await hub.addDevice('pump-5', { x509: { thumbprints: [thumbprintOf(old)] } })
  const from = hub.log.length
  await t.rejects(open(t, 'pump-5', renewed))
  t.strictSame(whyRefused('pump-5', from), [[null, 'the thumbprint is not registered']])
  hub.setCertificateRule({ deviceId: 'pump-5' }, { thumbprints: [thumbprintOf(old), thumbprintOf(renewed)] })
  await open(t, 'pump-5', renewed)
})

t.test('a device with a key needs no certificate, and one with a certificate cannot come without', async t => {
  await hub.addDevice('pump-6')
  const client = clientOf(t, 'pump-6')
  await client.setOptions({ ca: hub.ca })
  await client.open()
  await hub.addDevice('pump-7', { x509: 'ca' })
  const from = hub.log.length
  const withKey = deviceSdk.Client.fromConnectionString(
    hub.connectionString('pump-7').replace('x509=true', 'SharedAccessKey=c2VjcmV0'),
    Mqtt,
  )
  await withKey.setOptions({ ca: hub.ca })
  await t.rejects(withKey.open())
  t.strictSame(whyRefused('pump-7', from), [[null, 'no client certificate was shown']])
})

t.test('file upload takes the certificate in place of a signature', async t => {
  const own = await hub.issueClientCertificate('pump-2')
  const ask = async (pair: KeyPair) => {
    const client = clientOf(t, 'pump-2')
    const certified = hub.agent()
    t.teardown(() => certified.destroy())
    Object.assign(certified.options, { cert: pair.cert, key: pair.key })
    await client.setOptions({ ca: hub.ca, cert: pair.cert, key: pair.key, http: { agent: certified } })
    return client.getBlobSharedAccessSignature('a.zip')
  }
  t.match(await ask(own), { containerName: 'uploads', blobName: 'pump-2/a.zip' })
  await t.rejects(ask(await makeSelfSigned('pump-2')), { message: 'Unauthorized' })
})

const transports = { 'MQTT over WebSocket': MqttWs, AMQP: Amqp, 'AMQP over WebSocket': AmqpWs }
for (const [name, transport] of Object.entries(transports)) {
  t.test(`over ${name}: a device signs in with its certificate, and another one's gets no link`, async t => {
    const deviceId = `valve-${name.replaceAll(' ', '-')}`
    await hub.addDevice(deviceId, { x509: 'ca' })
    const make = async ({ cert, key }: KeyPair) => {
      const connectionString = hub.connectionString(deviceId, undefined, { port: transport === Amqp })
      const client = deviceSdk.Client.fromConnectionString(connectionString, transport)
      const webSocketAgent = hub.doorAgent(deviceId)
      Object.assign(webSocketAgent.options, { cert, key })
      t.teardown(async () => {
        await client.close()
        webSocketAgent.destroy()
      })
      client.on('error', () => undefined)
      await client.setOptions({ ca: hub.ca, cert, key, mqtt: { webSocketAgent }, amqp: { webSocketAgent } })
      return client
    }
    const from = hub.log.length
    const stranger = await make(await hub.issueClientCertificate('somebody-else'))
    if (transport === MqttWs) await t.rejects(stranger.open())
    else {
      // IoT Hub opens the connection, and refuses at the first link.
      stranger.setRetryPolicy({ shouldRetry: () => false, nextRetryTimeout: () => -1 })
      await stranger.open()
      stranger.onDeviceMethod('greet', () => undefined)
      await hub.waitFor(event => event.type === 'detach' && event.condition === 'amqp:unauthorized-access', { from })
      // Or the SDK would wait 45 s for what no longer comes.
      hub.door(deviceId).cut('rst')
    }

    const client = await make(await hub.issueClientCertificate(deviceId))
    await client.open()
    const up = hub.waitFor(
      event =>
        event.type === 'subscribe' ||
        (event.type === 'attach' && event.by === 'hub' && event.link === 'methods' && event.role === 'receiver'),
      { from: hub.log.length },
    )
    client.onDeviceMethod('greet', (_request, response) => response.send(200, 'hello'))
    await up
    t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'greet' }), { status: 200, payload: 'hello' })
  })
}
