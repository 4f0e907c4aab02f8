import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { latest, readSdkVersions, sdkFindings } from '../agent/sdk-versions.js'

t.test('an SDK is behind, or of parts of different ages', async t => {
  t.strictSame(sdkFindings(latest), [])
  t.strictSame(
    sdkFindings({ device: '1.18.5', mqtt: '2.0.0', amqp: '1.15.0', mqttClient: '5.1.0' }),
    [],
    'newer than this release knows',
  )
  t.strictSame(sdkFindings({ device: 'unknown', mqtt: '', amqp: 'unknown', mqttClient: '4' }), [])
  t.strictSame(sdkFindings({ device: '1.9.12', mqtt: '1.9.0', amqp: 'unknown', mqttClient: '4.3.8' }), [
    'azure-iot-device 1.9.12 is older than 1.18.4, the newest as of 2026-11-26',
    'azure-iot-device-mqtt 1.9.0 is older than 1.16.4, the newest as of 2026-11-26',
  ])
  t.strictSame(sdkFindings({ ...latest, mqtt: '1.15.9' }), [
    'azure-iot-device-mqtt 1.15.9 is older than 1.16.4, the newest as of 2026-11-26',
    'azure-iot-device 1.18.4, azure-iot-device-mqtt 1.15.9, and azure-iot-device-amqp 1.14.4 are of different ages: update them together',
  ])
})

t.test('what is read is what a program in that place would load', async t => {
  const dir = t.testdir({})
  const install = (name: string, text: string): void => {
    mkdirSync(join(dir, 'node_modules', name), { recursive: true })
    writeFileSync(join(dir, 'node_modules', name, 'package.json'), text)
  }
  install('azure-iot-device', JSON.stringify({ name: 'azure-iot-device', version: '1.12.0' }))
  install('azure-iot-device-mqtt', JSON.stringify({ name: 'azure-iot-device-mqtt', version: '1.11.0' }))
  install('azure-iot-device-amqp', '{ not JSON')
  t.match(readSdkVersions(join(dir, 'app.js')), { device: '1.12.0', mqtt: '1.11.0', amqp: 'unknown' })
  t.strictSame(readSdkVersions('/nowhere/app.js'), {
    device: 'unknown',
    mqtt: 'unknown',
    amqp: 'unknown',
    mqttClient: 'unknown',
  })
})
