/** `npm run hub`: what it prints, what can be typed, and that it ends. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import deviceSdk from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'
import t, { type Test } from 'tap'
import { faultUsages, parseFault, proxyFaultUsages } from '../hub/fault-words.js'

const start = (t: Test, ...args: string[]): ChildProcessWithoutNullStreams => {
  const child = spawn(process.execPath, ['dist/test/hub/main.js', ...args])
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

t.test('with --json it says what a script needs, does what is typed, and ends on SIGINT', async t => {
  const child = start(t, '--json')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value)
  const ask = (line: string): Promise<unknown> => {
    child.stdin.write(`${line}\n`)
    return next()
  }

  const { caFile, ports, connectionStrings } = (await next()) as {
    caFile: string
    ports: Record<string, unknown>
    connectionStrings: Record<string, string>
  }
  t.match(ports, { https: Number, blob: Number, doors: { device1: Number } })
  t.match(connectionStrings, {
    device1: /^HostName=localhost:\d+;DeviceId=device1;SharedAccessKey=/,
    'device1/module1': /^HostName=localhost:\d+;DeviceId=device1;ModuleId=module1;SharedAccessKey=/,
    service: /^HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=/,
  })
  t.strictSame(await ask('invoke device1 ping'), { error: 'Timed out waiting for device to connect.', code: 404103 })

  const client = deviceSdk.Client.fromConnectionString(connectionStrings.device1!, Mqtt)
  await client.setOptions({ ca: readFileSync(caFile, 'utf8') })
  await client.open()
  client.onDeviceMethod('echo', (request, response) => response.send(200, request.payload))
  // The SDK does not say when it has subscribed; a twin is answered after that.
  await client.getTwin()
  t.strictSame(await ask('invoke device1 echo { "a b": 1 }'), { status: 200, payload: { 'a b': 1 } })
  t.strictSame(await ask('desired device1 {"interval":5}'), {
    desired: { interval: 5, $version: 2 },
    reported: { $version: 1 },
  })
  t.strictSame(await ask('fault device1 connack 5 times=2'), {
    device: 'device1',
    fault: { kind: 'connack', code: 5, times: 2 },
  })
  t.strictSame(await ask('cut device1 rst'), { device: 'device1', cut: 'rst' })
  t.strictSame(await ask('heal device1'), { device: 'device1', healed: true })
  t.match(await ask('add device2 a b'), { device2: String, 'device2/a': String, 'device2/b': String })
  t.match(await ask('log 1'), [{ type: 'healed', deviceId: 'device1' }])
  t.match(await ask('proxy device1'), { proxy: /^http:\/\/127\.0\.0\.1:\d+$/, target: 'localhost:443', caFile: String })
  t.match(await ask('proxy demand ada secret'), { user: 'ada' })
  t.match(await ask('proxy fault status 503 times=1'), { fault: { kind: 'status', status: 503, times: 1 } })
  t.match(await ask('proxy log 1'), [{ type: 'fault', fault: { kind: 'status', status: 503 } }])
  t.match(await ask('proxy device9'), { error: 'device9 is not registered' })
  t.match(await ask('sas box'), { container: 'box', url: /^https:\/\/localhost:\d+\/devstoreaccount1\/box\?s/ })
  t.strictSame(await ask('dance'), { error: 'there is no command "dance"; try help' })
  t.match(await ask('fault device1 connack 6'), { error: '"6": expected connack code=1|2|3|4|5 [times=N]' })
  await client.close()

  child.kill('SIGINT')
  t.strictSame(await once(child, 'exit'), [0, null])
  t.notOk(existsSync(caFile), 'the temporary directory is gone')
})

t.test('for people it prints how to use it, and runs on when its input ends', async t => {
  const child = start(t)
  child.stdin.end()
  let said = ''
  for await (const line of createInterface({ input: child.stdout })) {
    said += `${line}\n`
    if (line.includes('setOptions')) break
  }
  t.match(said, /A local IoT Hub is running\. Ctrl-C ends it/)
  t.match(said, /HUBREC_CONNECTION_STRING='HostName=/)
  t.equal(child.exitCode, null)
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

t.test('faults can be said in words', async t => {
  const said = {
    refuse: { kind: 'refuse' },
    'blackHole towardHub': { kind: 'blackHole', direction: 'towardHub' },
    'slow msPerByte=0.5': { kind: 'slow', msPerByte: 0.5 },
    'slow 200 1': { kind: 'slow', latencyMs: 200, msPerByte: 1 },
    'certificate expired': { kind: 'certificate', certificate: 'expired' },
    'cbs 429 times=3': { kind: 'cbs', status: 429, times: 3 },
    'amqpClose amqp:connection:forced': { kind: 'amqpClose', condition: 'amqp:connection:forced' },
    'amqpClose times=1': { kind: 'amqpClose', times: 1 },
    'amqpDetach methods receiver': { kind: 'amqpDetach', link: 'methods', role: 'receiver' },
    'amqpDetach all condition=amqp:link:stolen': { kind: 'amqpDetach', link: 'all', condition: 'amqp:link:stolen' },
    'upgrade 302 headers=Location:http://portal.example/,Server:portal': {
      kind: 'upgrade',
      status: 302,
      headers: { Location: 'http://portal.example/', Server: 'portal' },
    },
    'http 503 on=files': { kind: 'http', status: 503, on: 'files' },
  }
  for (const [words, fault] of Object.entries(said)) t.strictSame(parseFault(words.split(' ')), fault)
  for (const words of ['', 'nothing', 'connack', 'connack 3 x=1', 'refuse now', 'throttle 0', 'toString']) {
    t.throws(() => parseFault(words.split(' ')), { message: /expected/ })
  }
})

t.test('the manual knows every fault', async t => {
  const manual = readFileSync('docs/local-hub.md', 'utf8')
  const unknown = [...faultUsages(), ...proxyFaultUsages()].filter(
    usage => !manual.includes(`\`${usage.split(' ')[0]}`),
  )
  t.strictSame(unknown, [])
})
