/** What `ss` prints, and what else may come out of it. */
import fc from 'fast-check'
import t from 'tap'
import { askForSockets, parseSockets, unitOf } from '../../agent/watch/ss.js'

const printed = `ESTAB 0      0      10.0.0.7:44140 20.49.109.128:8883 users:(("python3",pid=812,fd=7)) uid:1001 ino:934232 sk:2 cgroup:/system.slice/telemetry.service <->
\t ts sack cubic wscale:10,10 rto:304 rtt:82.5/16.2 ato:40 mss:1448 cwnd:10 ssthresh:7 bytes_sent:4210 bytes_retrans:310 bytes_acked:3900 bytes_received:512 segs_out:34 segs_in:30 lastsnd:1200 lastrcv:61000 lastack:61000 unacked:2 retrans:1/3 lost:1
SYN-SENT 0      1      [::ffff:10.0.0.7]:44142 [::ffff:20.49.109.128]:8883 ino:0 sk:3 cgroup:/user.slice/user-1000.slice/session-3.scope <->
\t cubic rto:4000 backoff:2 mss:524 cwnd:1 ssthresh:7 retrans:1/2
ESTAB 0 0 [2603:1030::5]:44144 [2603:1030::1]:443 ino:7 sk:4 <->`

t.test('sockets are read with what the kernel says of them', async t => {
  t.strictSame(parseSockets(printed), [
    {
      state: 'ESTAB',
      local: '10.0.0.7:44140',
      peer: '20.49.109.128:8883',
      inode: 934232,
      cgroup: '/system.slice/telemetry.service',
      process: { name: 'python3', pid: 812 },
      rttMs: 82.5,
      retransmitting: 1,
      retransmitted: 3,
      congestionWindow: 10,
      bytesSent: 4210,
      bytesReceived: 512,
      silentMs: 61000,
    },
    {
      state: 'SYN-SENT',
      local: '10.0.0.7:44142',
      peer: '20.49.109.128:8883',
      inode: 0,
      cgroup: '/user.slice/user-1000.slice/session-3.scope',
      process: null,
      rttMs: null,
      retransmitting: 2,
      retransmitted: 2,
      congestionWindow: 1,
      bytesSent: null,
      bytesReceived: null,
      silentMs: null,
    },
    {
      state: 'ESTAB',
      local: '[2603:1030::5]:44144',
      peer: '[2603:1030::1]:443',
      inode: 7,
      cgroup: null,
      process: null,
      rttMs: null,
      retransmitting: 0,
      retransmitted: 0,
      congestionWindow: null,
      bytesSent: null,
      bytesReceived: null,
      silentMs: null,
    },
  ])
})

t.test('a unit is told by its name, anything else by its path', async t => {
  t.equal(unitOf('/system.slice/telemetry.service'), 'telemetry.service')
  t.equal(unitOf('/system.slice/docker-0123.scope'), 'docker-0123.scope')
  t.equal(unitOf('/kubepods/pod1'), '/kubepods/pod1')
  t.equal(unitOf('unreachable:1a2'), null)
  t.equal(unitOf(null), null)
})

t.test('whatever is printed, reading it is no more than reading it', async t => {
  const piece = fc.constantFrom(...printed.split(/(?<=\s)/), '\n', '\t', '[', '"', '-')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map(pieces => pieces.join('')),
      ),
      text => {
        for (const { state, peer, retransmitting, inode } of parseSockets(text)) {
          t.match(state, /^[A-Z][A-Z0-9-]*$/)
          t.match(peer, /:\d+$/)
          t.ok(Number.isFinite(retransmitting) && Number.isFinite(inode))
        }
      },
    ),
    { numRuns: 500 },
  )
})

t.test('a missing ss is an error to be told, and no addresses are no question', async t => {
  await t.rejects(askForSockets(['127.0.0.1'], 'no-such-ss'), { code: 'ENOENT' })
  t.strictSame(await askForSockets([], 'no-such-ss'), [])
})
