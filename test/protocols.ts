/** Which port a protocol has, and what is remembered of the one that worked. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { firstChoice, openProtocolMemory, portOf } from '../agent/protocols.js'

t.test('a port in the connection string is for MQTT and AMQP, WebSocket has that of HTTPS', async t => {
  const ports = { mqtt: 1, amqp: 2, https: 3 }
  const all = (given: number | null) =>
    (['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const).map(protocol => portOf(protocol, given, ports))
  t.strictSame(all(null), [1, 3, 2, 3])
  t.strictSame(all(9), [9, 3, 9, 3])
  t.strictSame([firstChoice('auto'), firstChoice('amqp-ws')], ['mqtt', 'amqp-ws'])
})

t.test('what worked is kept in one small file, and a file that says nothing is no trouble', async t => {
  const path = join(t.testdir({}), 'protocol.json')
  const warnings: string[] = []
  const memory = openProtocolMemory(path, message => warnings.push(message))
  t.equal(await memory.read(), null)
  t.strictSame(warnings, [], 'before the first session there is none')
  await memory.write('amqp-ws')
  t.equal(await memory.read(), 'amqp-ws')
  t.equal(await readFile(path, 'utf8'), '{"protocol":"amqp-ws"}\n')
  t.equal((await stat(path)).mode & 0o777, 0o600)

  for (const text of ['{"protocol":"coap"}', '{}', '[]']) {
    await writeFile(path, text)
    t.equal(await memory.read(), null)
  }
  t.strictSame(warnings, [])
  for (const text of ['', '{"protocol":', 'null']) {
    await writeFile(path, text)
    t.equal(await memory.read(), null)
  }
  t.equal(warnings.length, 3)
})

t.test('a directory that is gone is warned of, and no more', async t => {
  const warnings: string[] = []
  const memory = openProtocolMemory(join(t.testdir({}), 'gone', 'protocol.json'), message => warnings.push(message))
  await memory.write('mqtt')
  t.equal(warnings.length, 1)
})
