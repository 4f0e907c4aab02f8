/**
 * A port whose SYNs nobody answers, without a firewall and without root: a listener that never accepts, and whose
 * backlog is full. The kernel then drops further SYNs, and a connect hangs as if the packets were lost.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

export type DeafPort = Readonly<{
  /** Stops listening. Connects that hung until now are refused. */
  close(): Promise<void>
}>

/** Node accepts whatever arrives, so the listener lives in a thread that blocks as soon as it listens. */
const listener = `
  const { parentPort, workerData: { port, wake } } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ port, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage('listening')
    setImmediate(() => {
      Atomics.wait(wake, 0, 0)
      process.exit()
    })
  })`

/** Linux queues one connection more than the backlog says. */
const queueLength = 2

/** On loopback a connection stands at once. One that does not shows that strangers have filled the queue before us. */
const standsWithinMs = 250

export async function listenDeaf(port: number): Promise<DeafPort> {
  const wake = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(listener, { eval: true, execArgv: [], workerData: { port, wake } })
  const gone = once(worker, 'exit')
  await Promise.race([once(worker, 'message'), gone])
  const fillers = await Promise.all(Array.from({ length: queueLength }, () => fill(port)))
  return {
    async close() {
      Atomics.store(wake, 0, 1)
      Atomics.notify(wake, 0)
      await gone
      for (const filler of fillers) filler.destroy()
    },
  }
}

async function fill(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => socket.destroy())
  await Promise.race([once(socket, 'connect'), sleep(standsWithinMs, undefined, { ref: false })])
  return socket
}
