import { readFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import t from 'tap'
import { versions } from '../agent/versions.js'

t.test('the versions are those of the packages that are installed', async t => {
  const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.strictSame(versions(), {
    hubrec: version,
    sdk: {
      device: dependencies['azure-iot-device'],
      mqtt: dependencies['azure-iot-device-mqtt'],
      amqp: dependencies['azure-iot-device-amqp'],
      mqttClient: dependencies.mqtt,
    },
    node: process.versions.node,
    os: `Linux ${release()} ${arch()}`,
  })
  t.equal(versions(), versions(), 'and read once')
})
