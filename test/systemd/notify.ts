import { openSync } from 'node:fs'
import t from 'tap'
import { openNotify } from '../../agent/systemd/notify.js'

t.test('nobody is told where nobody listens', async t => {
  t.equal(openNotify({}), null)
  t.equal(openNotify({ NOTIFY_SOCKET: '', HUBREC_NOTIFY_FD: '5' }), null)
})

t.test('what is no socket is not written to', async t => {
  const NOTIFY_SOCKET = '/run/systemd/notify'
  t.equal(openNotify({ NOTIFY_SOCKET }), 'unreachable')
  const file = String(openSync('/dev/null', 'w'))
  for (const HUBREC_NOTIFY_FD of [file, '1', '-1', '60000', '7x', '', ' 5'])
    t.equal(openNotify({ NOTIFY_SOCKET, HUBREC_NOTIFY_FD }), 'unreachable', HUBREC_NOTIFY_FD)
})
