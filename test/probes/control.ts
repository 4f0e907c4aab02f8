/** TCP to another host, and to a proxy. */
import t from 'tap'
import { control } from '../../agent/probes/control.js'
import { nothingHeard } from '../../agent/probes/heard.js'
import { proxy } from '../../agent/probes/proxy.js'
import { listen, shutPort } from '../support/ports.js'
import { asked, nameNotFound, refusedAt } from '../support/probing.js'

const open = await listen()
t.teardown(() => open[Symbol.asyncDispose]())
const shut = await shutPort()

t.test('a control host answers, refuses, or has no address; without one nobody is asked', async t => {
  const names = { 'control.example': ['127.0.0.1'] }
  const at = (controlHost: string | null) => asked(control, { settings: { controlHost }, names })
  const answer = { probe: 'control', host: 'control.example' }
  t.strictSame(await at(`control.example:${open.port}`), [{ ...answer, error: null, port: open.port }])
  t.strictSame(await at(`control.example:${shut}`), [{ ...answer, error: refusedAt(shut), port: shut }])
  t.strictSame(await at('other.example:443'), [
    { ...answer, host: 'other.example', error: nameNotFound('other.example'), port: 443 },
  ])
  t.strictSame(await at(`[::ffff:127.0.0.1]:${open.port}`), [
    { ...answer, host: '::ffff:127.0.0.1', error: null, port: open.port },
  ])
  t.strictSame(await at(null), [])
})

t.test(
  'a proxy answers or refuses; it is not asked where an attempt has reached it, and where there is none',
  async t => {
    const at = (port: number, heard = nothingHeard) =>
      asked(proxy, { target: { proxy: { host: '127.0.0.1', port } }, heard })
    const answer = { probe: 'proxy', host: '127.0.0.1' }
    t.strictSame(await at(open.port), [{ ...answer, error: null, port: open.port }])
    t.strictSame(await at(shut), [{ ...answer, error: refusedAt(shut), port: shut }])
    t.strictSame(await at(shut, { ...nothingHeard, proxy: true }), [])
    t.strictSame(await asked(proxy), [])
  },
)
