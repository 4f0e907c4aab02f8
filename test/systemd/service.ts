import t from 'tap'
import { servicePart } from '../../agent/systemd/service.js'

t.test('the watchdog is fed until something is stuck, and that is told once', async t => {
  const sent: Readonly<Record<string, string | number>>[] = []
  const told: (readonly string[])[] = []
  let stuckMs = 0
  let wake: () => void = () => undefined
  const stop = new AbortController()
  const part = servicePart({
    notify: {
      watchdogMs: 30,
      send: state => {
        sent.push(state)
        wake()
      },
    },
    watched: [
      { name: 'ring', stuckMs: () => stuckMs, patienceMs: 60_000 },
      { name: 'connection', stuckMs: () => 0, patienceMs: 0 },
    ],
    status: () => 'online',
    onStuck: names => {
      told.push(names)
      wake()
    },
  })
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo())
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  const ended = part.run(stop.signal)
  // The part's timer does not hold a process, and in a daemon others do.
  const hold = setInterval(() => undefined, 1_000)
  t.teardown(() => clearInterval(hold))
  stuckMs = 60_000
  await until(() => sent.length > 3)
  t.strictSame(sent.slice(0, 2), [
    { READY: 1, STATUS: 'online' },
    { WATCHDOG: 1, STATUS: 'online' },
  ])
  stuckMs = 60_001
  await until(() => told.length > 0)
  const fed = sent.length
  stop.abort()
  await ended
  t.strictSame(told, [['ring']])
  t.strictSame(sent.slice(fed), [{ STOPPING: 1 }], 'not fed again')
})
