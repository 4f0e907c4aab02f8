import t from 'tap'
import { cloudOf, clouds, ofEachCloud } from '../../transports/clouds.js'
import { rootsOf } from '../../transports/known-roots.js'

t.test('a host says by its name to which cloud it belongs', async t => {
  for (const cloud of clouds) {
    t.equal(cloudOf(`my-hub.${cloud.hubSuffix}`), cloud)
    t.equal(cloudOf(`MY-HUB.${cloud.hubSuffix.toUpperCase()}.`), cloud, 'names have no case, and may end in a dot')
    t.equal(cloudOf(cloud.provisioningHost), cloud)
  }
  for (const host of [
    'localhost',
    'edge-gateway',
    '10.0.0.1',
    'azure-devices.net',
    'my-hub.azure-devices.net.evil.example',
    '',
  ]) {
    t.equal(cloudOf(host), null, host)
  }
})

t.test('clouds share nothing, and each has a root', async t => {
  for (const key of ['id', 'name', 'hubSuffix', 'provisioningHost', 'blobSuffix', 'portal'] as const) {
    t.equal(new Set(clouds.map(cloud => cloud[key])).size, clouds.length, key)
  }
  t.equal(
    ofEachCloud(({ id }) => rootsOf(id)),
    'DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017 (US government: DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017, China: DigiCert Global Root CA)',
  )
})
