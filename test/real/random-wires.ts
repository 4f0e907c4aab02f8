/** The promises that every wire must keep, held by MQTT; the other protocols have files of their own beside this one. */
import t from 'tap'
import { createSecrets } from '../../transports/secrets.js'
import { leaks } from '../support/leaks.js'
import { holdRandomWires } from '../support/random-wires.js'

t.test('a leak would be found: part of the key, a token, a remembered secret', async t => {
  const key = Buffer.from('a key that only this test has').toString('base64')
  const connectionString = `HostName=localhost;DeviceId=dev;SharedAccessKey=${key}`
  const secrets = createSecrets()
  secrets.add('storage-signature', 'remembered-elsewhere')
  const found = (text: string): string[] => leaks(JSON.stringify({ message: text }), connectionString, secrets)
  t.strictSame(found('read ECONNRESET'), [])
  t.strictSame(found(`key ${key.slice(7, 15)} refused`), ['part of the key'])
  t.strictSame(found('SharedAccessSignature sr=x&se=1'), ['a word that only secrets have'])
  t.strictSame(found(`${'Ab3%2B'.repeat(10)}=`), ['something like a signature'])
  t.strictSame(found('it is remembered-elsewhere'), ['a remembered storage-signature'])
})

holdRandomWires('mqtt', 3)
