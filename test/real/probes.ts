/** A daemon that loses the hub's name: it asks on its own, and what it was answered is in the ring and in the evidence. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { ProbeAnswer } from '../../agent/evidence/probe-answer.js'
import { probesIn } from '../../agent/evidence/probed.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { startHub } from '../hub/hub.js'
import { startNameServer } from '../hub/name-server.js'
import { Gateway } from '../support/hubrec.js'

const hostName = 'probed.azure-devices.net'
const controlName = 'control.azure-devices.net'

const hub = await startHub({ hostName })
t.teardown(() => hub.close())
const names = await startNameServer()
t.teardown(() => names.close())
const outside = createServer((_, response) => response.end('Connect Test')).listen(0, '127.0.0.1')
await once(outside, 'listening')
t.teardown(() => outside.close())
const outsidePort = (outside.address() as AddressInfo).port

/** What is the same in every run. */
const short = (answer: ProbeAnswer): string => {
  const { probe, error } = answer
  const of = 'resolver' in answer ? ` ${answer.name} by ${answer.resolver}` : ''
  const at = 'address' in answer && 'port' in answer ? ` ${answer.address}:${answer.port}` : ''
  return `${probe}${of}${at}${'isLastGood' in answer && answer.isLastGood ? ' as before' : ''}: ${error?.code ?? 'well'}`
}

t.test('dead DNS: the last good address answers, without a credential, and the outage is told with it', async t => {
  const door = await hub.addDevice('gateway')
  const gateway = await Gateway.make(hub, hub.connectionString('gateway'), {
    probes: {
      controlHost: `127.0.0.1:${outsidePort}`,
      controlName,
      portalUrl: `http://127.0.0.1:${outsidePort}/connecttest.txt`,
      portalText: 'Connect Test',
      resolvers: [names.address],
    },
  })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const env = {
    NODE_OPTIONS: `--import ${resolve('dist/test/support/dns-preload.js')}`,
    HUBREC_TEST_NAME_SERVER: names.address,
  }
  const daemon = gateway.start(env)
  await hub.waitFor(event => event.type === 'subscribe', { from: 0 })

  const from = hub.log.length
  names.set('servfail', hostName)
  door.cut('rst')
  const logs = gateway.follow('logs', '--state-dir', gateway.stateDir, '--json', '--type', 'sample', '--follow')
  let probes: readonly ProbeAnswer[] | null = null
  while (probes === null) probes = probesIn((JSON.parse(await logs.line()) as LogRecord).data)

  const { https } = hub.ports
  t.strictSame(
    new Set(probes.map(short)),
    new Set([
      `resolve ${hostName} by ${names.address}: ESERVFAIL`,
      `resolve ${controlName} by ${names.address}: well`,
      `resolve ${controlName} by system: well`,
      `connect 127.0.0.1:${door.port} as before: well`,
      `connect 127.0.0.1:${https} as before: well`,
      `tls 127.0.0.1:${door.port} as before: well`,
      'control: well',
      'portal: well',
      'httpDate: well',
    ]),
  )
  t.match(
    probes.find(({ probe }) => probe === 'tls'),
    { host: hostName, certificate: { altNames: /azure-devices\.net/ } },
  )
  const said = hub.log.slice(from).filter(({ type }) => type === 'connect')
  t.strictSame(said, [], 'nobody has signed in, nor tried to')
  t.strictSame(JSON.parse(await readFile(join(gateway.stateDir, 'addresses.json'), 'utf8')), {
    host: hostName,
    addresses: ['127.0.0.1'],
  })

  // The next run finds the outage open, and its answers in the ring.
  daemon.kill('SIGKILL')
  await once(daemon, 'exit')
  const killedAt = new Date().toISOString()
  const next = gateway.start(env)
  const wires = gateway.follow('logs', '--state-dir', gateway.stateDir, '--json', '--type', 'wire', '--follow')
  for (let failures = 0; failures < 3; ) {
    const { at, data } = JSON.parse(await wires.line()) as LogRecord
    if (at > killedAt && data.type === 'closed') failures += 1
  }
  names.set('answer', hostName)
  await hub.waitFor(event => event.type === 'subscribe', { from })
  next.kill('SIGTERM')
  await once(next, 'exit')
  const samples = await gateway.json<LogRecord>('logs', '--state-dir', gateway.stateDir, '--type', 'sample')
  t.equal(samples.filter(({ data }) => probesIn(data) !== null).length, 1, 'once in an outage, over restarts too')
  const episodes = await gateway.json<Episode>('episodes', '--state-dir', gateway.stateDir)
  t.match(episodes.at(-2), { state: 'closed', verdict: { cause: 'dns-failure', confidence: 'certain' } })
})
