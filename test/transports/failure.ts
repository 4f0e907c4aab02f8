import common from 'azure-iot-common'
import t from 'tap'
import { flatten } from '../../transports/failure.js'

t.test('an error is flattened with its codes, its place and its causes', async t => {
  const reset = Object.assign(new Error('read ECONNRESET'), {
    code: 'ECONNRESET',
    syscall: 'read',
    address: '20.49.110.129',
    port: 8883,
    errno: -104,
  })
  t.strictSame(flatten(new Error('the session is over', { cause: reset })), {
    name: 'Error',
    message: 'the session is over',
    from: {
      name: 'Error',
      message: 'read ECONNRESET',
      code: 'ECONNRESET',
      syscall: 'read',
      address: '20.49.110.129:8883',
    },
  })
})

t.test('an error of the SDK without a message does not end the daemon that writes it down', async t => {
  t.strictSame(flatten(new common.errors.NotConnectedError()), { name: 'NotConnectedError', message: '' })
})

t.test('whatever is thrown can be written down', async t => {
  const odd = Object.assign(new Error('x'), { name: 7, message: Object.create(null), errors: [null, 'no'] })
  const thrown = [undefined, null, 'no', 404, Symbol('s'), Object.create(null), { reason: 'odd' }, odd]
  t.strictSame(
    thrown.map(each => flatten(each)),
    [
      { name: 'undefined', message: 'undefined' },
      { name: 'object', message: '[object Null]' },
      { name: 'string', message: 'no' },
      { name: 'number', message: '404' },
      { name: 'symbol', message: 'Symbol(s)' },
      { name: 'object', message: '[object Object]' },
      { name: 'object', message: '[object Object]' },
      {
        name: '7',
        message: '[object Object]',
        errors: [
          { name: 'object', message: '[object Null]' },
          { name: 'string', message: 'no' },
        ],
      },
    ],
  )
})

t.test('texts, causes and addresses have limits, so that one error cannot fill a ring', async t => {
  let error = new Error('x'.repeat(2_000))
  for (let depth = 0; depth < 20; depth++) error = new Error(`${depth}`, { cause: error })
  const levels: string[] = []
  for (let at: ReturnType<typeof flatten> | undefined = flatten(error); at; at = at.from) levels.push(at.message)
  t.strictSame(levels, ['19', '18', '17', '16', '15', '14'])
  t.equal(flatten(new Error('x'.repeat(2_000))).message.length, 503)
  t.equal(flatten(new AggregateError(Array.from({ length: 20 }, () => error))).errors?.length, 8)
})
