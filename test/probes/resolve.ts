/** Names, asked of a real name server on loopback. */
import t from 'tap'
import { nothingHeard } from '../../agent/probes/heard.js'
import { resolve } from '../../agent/probes/resolve.js'
import { startNameServer } from '../hub/name-server.js'
import { asked, nameNotFound, silentFor } from '../support/probing.js'

const names = await startNameServer()
t.teardown(() => names.close())
const deaf = await startNameServer()
deaf.set('silence')
t.teardown(() => deaf.close())

const hub = { probe: 'resolve', name: 'hub.example', isHub: true } as const
const control = { probe: 'resolve', name: 'control.example', isHub: false } as const

/** As a resolver's own client says it. */
const denied = (code: string, name = 'hub.example') => ({
  name: 'Error',
  message: `queryA ${code} ${name}`,
  code,
  syscall: 'queryA',
})

t.test('each resolver and the host itself are asked for the hub and for the control name', async t => {
  names.set('nxdomain', 'hub.example')
  const answers = await asked(resolve, {
    settings: { resolvers: [names.address], controlName: 'control.example' },
    names: { 'control.example': ['127.0.0.1'] },
  })
  const expected = [
    { ...hub, error: denied('ENOTFOUND'), resolver: names.address, addresses: [] },
    { ...hub, error: nameNotFound('hub.example'), resolver: 'system', addresses: [] },
    { ...control, error: null, resolver: names.address, addresses: ['127.0.0.1'] },
    { ...control, error: null, resolver: 'system', addresses: ['127.0.0.1'] },
  ]
  t.same(new Set(answers.map(sorted)), new Set(expected.map(sorted)))
})

const sorted = (answer: object): string => JSON.stringify(Object.entries(answer).sort())

t.test('one resolver that fails does not hide the other, and silence ends with the limit', async t => {
  names.set('answer', 'hub.example')
  const limitMs = 300
  const heard = { ...nothingHeard, isNameLost: true }
  const answers = await asked(resolve, { settings: { resolvers: [names.address, deaf.address] }, limitMs, heard })
  t.strictSame(answers, [
    { ...hub, error: null, resolver: names.address, addresses: ['127.0.0.1'] },
    { ...hub, error: silentFor(limitMs), resolver: deaf.address, addresses: [] },
  ])
})

t.test('a resolver that could not find out says so', async t => {
  names.set('servfail', 'hub.example')
  const heard = { ...nothingHeard, isNameLost: true }
  t.strictSame(await asked(resolve, { settings: { resolvers: [names.address] }, heard }), [
    { ...hub, error: denied('ESERVFAIL'), resolver: names.address, addresses: [] },
  ])
})

t.test('what is no address of a resolver is an answer and no mistake', async t => {
  const heard = { ...nothingHeard, isNameLost: true }
  const [answer] = await asked(resolve, { settings: { resolvers: ['no address'] }, heard })
  t.match(answer, { probe: 'resolve', resolver: 'no address', error: { code: 'ERR_INVALID_IP_ADDRESS' } })
})

t.test('nobody is asked for a name that an attempt has resolved, behind a proxy, or for an address', async t => {
  const before = names.asked('hub.example')
  const settings = { resolvers: [names.address], controlName: 'control.example' }
  const heard = { ...nothingHeard, addresses: ['127.0.0.1'] }
  const proxy = { host: 'proxy.example', port: 3128 }
  t.strictSame(await asked(resolve, { settings, heard }), [])
  t.strictSame(await asked(resolve, { settings, target: { proxy } }), [])
  t.strictSame(await asked(resolve, { settings, target: { host: '127.0.0.1' } }), [])
  t.equal(names.asked('hub.example'), before)
})
