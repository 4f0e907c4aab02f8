/** TCP to real ports: open, shut and deaf ones, at addresses of now and of before. */
import t from 'tap'
import { connect } from '../../agent/probes/connect.js'
import { nothingHeard } from '../../agent/probes/heard.js'
import { listenDeaf } from '../hub/deaf-port.js'
import { listen, shutPort } from '../support/ports.js'
import { asked, refusedAt, silentFor } from '../support/probing.js'

const open = await listen()
t.teardown(() => open[Symbol.asyncDispose]())
const shut = await shutPort()
const ports = { ports: [open.port, shut], port: open.port, httpsPort: shut }
const names = { 'hub.example': ['127.0.0.1'] }
const answer = { probe: 'connect', host: 'hub.example', address: '127.0.0.1', isLastGood: false } as const

t.test('each port answers for itself', async t => {
  t.strictSame(await asked(connect, { target: ports, names, lastGood: ['127.0.0.1'] }), [
    { ...answer, error: null, port: open.port },
    { ...answer, error: refusedAt(shut), port: shut },
  ])
})

t.test('a port whose SYNs nobody answers is told after the limit', async t => {
  const port = await shutPort()
  const deaf = await listenDeaf(port)
  const limitMs = 300
  const answers = await asked(connect, { target: { ports: [port], port }, names, limitMs })
  await deaf.close()
  t.strictSame(answers, [{ ...answer, error: silentFor(limitMs), port }])
})

t.test('when the name is lost, the last addresses that worked are dialled', async t => {
  const heard = { ...nothingHeard, isNameLost: true }
  t.strictSame(await asked(connect, { target: { ports: [open.port] }, heard, lastGood: ['127.0.0.1'] }), [
    { ...answer, error: null, port: open.port, isLastGood: true },
  ])
})

t.test('when the name leads elsewhere, both are dialled', async t => {
  const lastGood = ['127.0.0.1']
  const answers = await asked(connect, {
    target: { ports: [open.port] },
    names: { 'hub.example': ['127.0.0.2'] },
    lastGood,
  })
  t.strictSame(new Set(answers.map(each => JSON.stringify(each))).size, 2)
  t.match(
    answers.find(each => 'isLastGood' in each && each.isLastGood),
    { address: '127.0.0.1', error: null },
  )
  t.match(
    answers.find(each => 'isLastGood' in each && !each.isLastGood),
    { address: '127.0.0.2', error: { code: 'ECONNREFUSED' } },
  )
})

t.test('what an attempt has learned is not asked again', async t => {
  const before = open.connections()
  const heard = { ...nothingHeard, addresses: ['127.0.0.1'], tcp: [open.port] }
  t.strictSame(await asked(connect, { target: ports, heard }), [{ ...answer, error: refusedAt(shut), port: shut }])
  t.strictSame(await asked(connect, { target: { ...ports, proxy: { host: '127.0.0.1', port: 1 } }, names }), [])
  t.equal(open.connections(), before)
})

t.test('a name that leads nowhere, and no address from before: there is nothing to dial', async t => {
  t.strictSame(await asked(connect, { target: ports }), [])
})
