/** The proxy that stands between: what it lets pass, what it demands, and what it does to whoever passes. */

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Agent } from 'node:https'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import deviceSdk from 'azure-iot-device'
import { AmqpWs } from 'azure-iot-device-amqp'
import { MqttWs } from 'azure-iot-device-mqtt'
import { HttpsProxyAgent } from 'https-proxy-agent'
import t, { type Test } from 'tap'
import { type LocalProxy, type ProxyEvent, type ProxyOptions, startProxy } from '../hub/http-proxy.js'
import { type Hub, startHub } from '../hub/hub.js'

const hostName = 'my-hub.azure-devices.net'
const target = `${hostName}:443`
const hub: Hub = await startHub({ hostName })
t.teardown(() => hub.close())

const noRetry = { shouldRetry: () => false, nextRetryTimeout: () => -1 }

let devices = 0
const addDevice = async (): Promise<string> => {
  const deviceId = `device-${++devices}`
  await hub.addDevice(deviceId)
  return deviceId
}

/** A proxy that leads to a device's door. */
const start = async (t: Test, deviceId: string, options: ProxyOptions = {}): Promise<LocalProxy> => {
  const targets = { [target]: hub.door(deviceId).port }
  const proxy = await startProxy({ targets, ca: hub.ca, ...options })
  t.teardown(() => proxy.close())
  return proxy
}

/** CONNECT and nothing more. */
const tunnel = async (proxy: LocalProxy, to: string = target, headers: Record<string, string> = {}) => {
  const sent = request({
    port: proxy.port,
    host: '127.0.0.1',
    method: 'CONNECT',
    path: to,
    headers,
    agent: false,
  }).end()
  const [response, socket] = (await once(sent, 'connect')) as [IncomingMessage, Socket]
  return { status: response.statusCode, headers: response.headers, socket }
}

const basic = (text: string) => ({ 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` })

/** TLS through a tunnel, to see who answers. */
const handshake = async (socket: Socket, ca: string) => {
  const tls = connectTls({ socket, servername: hostName, ca })
  const [error] = await Promise.race([once(tls, 'secureConnect'), once(tls, 'error')]).catch(failure => [failure])
  return { tls, error: error as NodeJS.ErrnoException | undefined, issuer: tls.getPeerCertificate()?.issuer?.CN }
}

const said = (proxy: LocalProxy, ...types: ProxyEvent['type'][]) =>
  proxy.log.flatMap(event => {
    if (!types.includes(event.type)) return []
    const { n, monoMs, at, ...rest } = event
    return [rest]
  })

/** The stock SDKs reach the hub by the name that it has, without DNS. */
const openDevice = async (
  t: Test,
  deviceId: string,
  url: string,
  transport: typeof MqttWs | typeof AmqpWs,
  ca = hub.ca,
) => {
  const webSocketAgent = new HttpsProxyAgent(url, { ca }) as unknown as Agent
  const client = deviceSdk.Client.fromConnectionString(
    hub.connectionString(deviceId, undefined, { port: false }),
    transport,
  )
  t.teardown(() => {
    webSocketAgent.destroy()
    return client.close()
  })
  client.setRetryPolicy(noRetry)
  await client.setOptions({ ca, mqtt: { webSocketAgent }, amqp: { webSocketAgent } })
  await client.open()
  return client
}

for (const [name, transport] of Object.entries({ MqttWs, AmqpWs })) {
  t.test(`the stock ${name} client passes a proxy that demands credentials`, async t => {
    const deviceId = await addDevice()
    const proxy = await start(t, deviceId, { credentials: { user: 'ada', password: 'lovelace:1815' } })
    const client = await openDevice(t, deviceId, `http://ada:lovelace%3A1815@127.0.0.1:${proxy.port}`, transport)
    await client.sendEvent(new deviceSdk.Message('hello'))
    t.match(said(proxy, 'connect'), [{ target, user: 'ada', status: 200, why: null }])
    const closed = proxy.waitFor(event => event.type === 'closed')
    await client.close()
    t.match(await closed, { target, cut: false })
    t.notOk(JSON.stringify(proxy.log).includes('lovelace'))
  })
}

t.test('without the right credentials there is 407 and a challenge', async t => {
  const deviceId = await addDevice()
  const proxy = await start(t, deviceId, { credentials: { user: 'ada', password: 'right' } })
  const asked = await tunnel(proxy)
  t.match(asked, { status: 407, headers: { 'proxy-authenticate': 'Basic realm="proxy"' } })
  t.match(await tunnel(proxy, target, basic('ada:wrong')), { status: 407 })
  t.match(await tunnel(proxy, target, basic('ada:right')), { status: 200 })
  proxy.demand(null)
  t.match(await tunnel(proxy), { status: 200 })
  proxy.demand({ user: 'ada', password: 'new' })
  await t.rejects(openDevice(t, deviceId, `http://ada:right@127.0.0.1:${proxy.port}`, MqttWs))
  t.strictSame(
    said(proxy, 'connect').map(event => event.type === 'connect' && [event.user, event.status, event.why]),
    [
      [null, 407, 'no credentials'],
      ['ada', 407, 'wrong credentials'],
      ['ada', 200, null],
      [null, 200, null],
      ['ada', 407, 'wrong credentials'],
    ],
  )
  t.notOk(/right|wrong"|new"/.test(JSON.stringify(said(proxy, 'closed'))))
})

t.test('a target that nobody knows is 502, and so is one where nobody listens', async t => {
  const deviceId = await addDevice()
  const proxy = await start(t, deviceId)
  t.match(await tunnel(proxy, 'other.azure-devices.net:443'), { status: 502 })
  await hub.door(deviceId).set({ kind: 'refuse' })
  t.match(await tunnel(proxy), { status: 502 })
  await hub.door(deviceId).heal()
  t.match(await tunnel(proxy, `localhost:${hub.door(deviceId).port}`), { status: 200 })
  proxy.route('other.azure-devices.net:443', hub.door(deviceId).port)
  t.match(await tunnel(proxy, 'other.azure-devices.net:443'), { status: 200 })
  t.strictSame(
    said(proxy, 'connect').map(event => event.type === 'connect' && event.why),
    ['nobody knows the target', 'ECONNREFUSED', null, null],
  )
})

for (const status of [403, 502, 503]) {
  t.test(`CONNECT can be answered by ${status}, until it is healed`, async t => {
    const proxy = await start(t, await addDevice())
    proxy.set({ kind: 'status', status, headers: { via: '1.1 proxy.example' } })
    t.match(await tunnel(proxy), { status, headers: { via: '1.1 proxy.example' } })
    proxy.heal()
    t.match(await tunnel(proxy), { status: 200 })
  })
}

t.test('CONNECT can be left unanswered', async t => {
  const proxy = await start(t, await addDevice())
  proxy.set({ kind: 'silent', times: 1 })
  const unanswered = request({ port: proxy.port, host: '127.0.0.1', method: 'CONNECT', path: target }).end()
  unanswered.on('error', () => {})
  t.match(await proxy.waitFor(event => event.type === 'connect', { from: 0 }), { status: null, why: 'a fault' })
  t.match(await tunnel(proxy), { status: 200 })
  t.equal(unanswered.destroyed, false)
  unanswered.destroy()
})

t.test('a portal sends everybody to its login page', async t => {
  const proxy = await start(t, await addDevice())
  proxy.set({ kind: 'portal' })
  t.match(await tunnel(proxy), { status: 302, headers: { location: 'http://portal.example/login' } })
  const sent = request({ port: proxy.port, host: '127.0.0.1', path: 'http://example.com/a?sig=secret' }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  t.match(response, { statusCode: 302, headers: { location: 'http://portal.example/login' } })
  t.match(said(proxy, 'request'), [{ method: 'GET', url: 'http://example.com/a', status: 302 }])
})

t.test('TLS can be inspected, which shows by the issuer, and works for whoever trusts it', async t => {
  const deviceId = await addDevice()
  const proxy = await start(t, deviceId)
  proxy.set({ kind: 'intercept' })
  const distrusted = await handshake((await tunnel(proxy)).socket, hub.ca)
  t.equal(distrusted.error?.code, 'SELF_SIGNED_CERT_IN_CHAIN')
  const trusted = await handshake((await tunnel(proxy)).socket, proxy.ca)
  t.strictSame([trusted.error, trusted.issuer], [undefined, 'Example Corp TLS Inspection'])
  trusted.tls.destroy()
  await openDevice(t, deviceId, proxy.url, MqttWs, proxy.ca)
  t.match(
    hub.log.filter(event => event.type === 'connect' && event.deviceId === deviceId),
    [{ code: 0 }],
  )
  proxy.heal()
  const direct = await handshake((await tunnel(proxy)).socket, hub.ca)
  t.strictSame([direct.error, direct.issuer], [undefined, 'Local IoT Hub Root'])
  direct.tls.destroy()
})

for (const how of ['fin', 'rst'] as const) {
  t.test(`a tunnel can be cut by ${how} after some bytes, and by hand`, async t => {
    const proxy = await start(t, await addDevice())
    proxy.set({ kind: 'cutAfter', bytes: 100, how, times: 1 })
    const { socket } = await tunnel(proxy)
    const { error } = await handshake(socket, hub.ca)
    t.equal(error?.code, 'ECONNRESET')
    const cut = (await proxy.waitFor(event => event.type === 'closed', { from: 0 })) as {
      bytesUp: number
      bytesDown: number
    }
    t.match(cut, { cut: true })
    t.equal(cut.bytesUp + cut.bytesDown, 100)

    const healthy = await handshake((await tunnel(proxy)).socket, hub.ca)
    t.equal(healthy.error, undefined)
    const ended = new Promise<string>(resolve => {
      healthy.tls.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      healthy.tls.once('end', () => resolve('fin'))
    })
    healthy.tls.resume()
    proxy.cut(how)
    t.equal(await ended, how === 'rst' ? 'ECONNRESET' : 'fin')
  })
}
