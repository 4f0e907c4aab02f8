import { connect } from 'node:net'
import common from 'azure-iot-common'
import t from 'tap'
import { flatten } from '../../transports/failure.js'

t.test('an error of the system keeps its codes and its address', async t => {
  const error = await new Promise(resolve => connect({ host: '127.0.0.1', port: 1 }).once('error', resolve))
  t.strictSame(flatten(error), {
    name: 'Error',
    message: 'connect ECONNREFUSED 127.0.0.1:1',
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '127.0.0.1:1',
  })
})

t.test('a dual-stack refusal, whose own message is empty, keeps what each address met', async t => {
  const each = (address: string): Error => Object.assign(new Error(`no ${address}`), { code: 'ECONNREFUSED', address })
  const both = Object.assign(new AggregateError([each('::1'), each('127.0.0.1')]), { code: 'ECONNREFUSED' })
  t.match(flatten(both), {
    name: 'AggregateError',
    code: 'ECONNREFUSED',
    errors: [
      { code: 'ECONNREFUSED', address: '::1' },
      { code: 'ECONNREFUSED', address: '127.0.0.1' },
    ],
  })
})

t.test('causes are kept, five levels deep, also where they go round in a circle', async t => {
  const circle = new Error('round')
  circle.cause = circle
  let depth = 0
  for (let failure = flatten(circle); failure.from; failure = failure.from) depth++
  t.equal(depth, 5)
  t.match(flatten(new Error('outer', { cause: new TypeError('inner') })), {
    message: 'outer',
    from: { name: 'TypeError', message: 'inner' },
  })
})

t.test('what is no error, or has no message, is told all the same', async t => {
  t.strictSame(flatten('a string'), { name: 'string', message: 'a string' })
  t.strictSame(flatten(undefined), { name: 'undefined', message: 'undefined' })
  t.strictSame(flatten(Object.assign(new Error('x'), { code: 5 })), { name: 'Error', message: 'x', code: '5' })
})

t.test('an error of the SDK without a message does not end the daemon that writes it down', async t => {
  t.strictSame(flatten(new common.errors.NotConnectedError()), { name: 'NotConnectedError', message: '' })
})

t.test('what cannot be made a string is told all the same', async t => {
  const odd = Object.assign(new Error('x'), { name: 7, message: Object.create(null) })
  t.strictSame(flatten(odd), { name: '7', message: '[object Object]' })
  t.strictSame(flatten(Object.create(null)), { name: 'object', message: '[object Object]' })
})

t.test('a long message is cut', async t => {
  t.equal(flatten(new Error('x'.repeat(10_000))).message.length, 4_003)
})
