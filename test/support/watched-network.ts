/** Counts every socket that this process dials and every name that it asks for; nothing of it leaves the process. */
import dns from 'node:dns'
import net from 'node:net'
import type { Test } from 'tap'

export type WatchedNetwork = Readonly<{
  /** `host:port`, as it was given, before the name is looked up; a path where it is a unix socket. */
  dialled: readonly string[]
  /** Names that the system's resolver was asked for. */
  asked: readonly string[]
}>

/** Until the end of the test. */
export function watchNetwork(t: Test): WatchedNetwork {
  const dialled: string[] = []
  const asked: string[] = []
  const { connect } = net.Socket.prototype
  const { lookup } = dns
  net.Socket.prototype.connect = function (this: net.Socket, ...given: unknown[]) {
    // Node itself hands over its arguments as an array.
    const [first] = given.flat() as [Readonly<{ host?: string; port?: number; path?: string }>]
    dialled.push(first.path ?? `${first.host}:${first.port}`)
    // Once whoever dials listens.
    setImmediate(() => this.destroy(new Error('nothing is dialled in this test')))
    return this
  } as typeof connect
  dns.lookup = ((host: string, ...rest: unknown[]) => {
    asked.push(host)
    const done = rest.at(-1) as (error: Error) => void
    setImmediate(done, new Error('no name is asked for in this test'))
  }) as unknown as typeof lookup
  t.teardown(() => {
    net.Socket.prototype.connect = connect
    dns.lookup = lookup
  })
  return { dialled, asked }
}
