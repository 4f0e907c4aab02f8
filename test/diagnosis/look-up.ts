import t from 'tap'
import { lookUp } from '../../agent/diagnosis/look-up.js'

const brief = (asked: string) => {
  const found = lookUp(asked)
  switch (found.kind) {
    case 'cause':
      return found.cause.id
    case 'codes':
      return found.codes.map(({ code, causes }) => [code.code, ...causes.map(({ id }) => id)])
    case 'nothing':
      return found
  }
}

t.test('a cause is found by its id, however it is typed', async t => {
  t.equal(brief('wrong-key'), 'wrong-key')
  t.equal(brief(' DNS-Failure '), 'dns-failure')
})

t.test('a code is found with the causes that may stand behind it', async t => {
  t.strictSame(brief('400027'), [['400027', 'duplicate-device-id', 'unknown-close']])
  t.strictSame(brief('409002'), [['409002', 'duplicate-device-id']])
  t.strictSame(brief('500001'), [['500001', 'hub-transient-5xx', 'amqp-cbs-nonauth']])
  t.strictSame(brief('400xxx'), [['400xxx', 'illegal-topic', 'mqtt-qos2', 'too-many-subscriptions']])
  t.strictSame(brief('409001'), [['409001', 'device-already-exists']])
})

t.test('a code is found by its name', async t => {
  t.strictSame(brief('iothubquotaexceeded'), [['403002', 'quota-exceeded', 'amqp-cbs-nonauth', 'unknown-close']])
})

t.test('the beginning of a code finds them all', async t => {
  const both = [
    ['500001', 'hub-transient-5xx', 'amqp-cbs-nonauth'],
    ['500008', 'hub-transient-5xx', 'cbs-timeout', 'connack-timeout'],
  ]
  t.strictSame(brief('500xxx'), both)
  t.strictSame(brief('500'), both)
})

t.test('what is not found is answered with what is spelled most alike', async t => {
  t.strictSame(brief('dns-failur'), { kind: 'nothing', nearest: ['dns-failure', 'dps-failure', 'ip-filter'] })
  t.strictSame(brief('404105'), { kind: 'nothing', nearest: ['404102', '404103', '404104'] })
  t.strictSame(brief('999'), lookUp('999'))
  t.equal(lookUp('999').kind, 'nothing')
  t.equal(lookUp('').kind, 'nothing')
})
