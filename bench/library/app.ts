/** The application that is measured, in a process of its own: it opens, sends, and says what that took. */
import { readFileSync, writeSync } from 'node:fs'
import device from 'azure-iot-device'

const { Client, Message } = device

/** What the parent writes on the command line, as JSON. */
export type Order = Readonly<{
  connectionString: string
  caFile: string
  protocol: 'mqtt' | 'amqp'
  /** Whether its transport is wrapped, and where it then tells. */
  socket: string | null
  messages: number
  inFlight: number
  payloadBytes: number
}>

export type Figures = Readonly<{
  /** From the start of the process until the client is open. */
  startMs: number
  /** Of that, what is the library's alone. */
  loadMs: number
  messagesPerSecond: number
  /** This process' time on a processor, for each message. */
  cpuUs: number
  /** After everything was sent and the garbage was collected. */
  residentMiB: number
}>

type Transport = Parameters<typeof Client.fromConnectionString>[1] & (new (...given: never[]) => object)

const order = JSON.parse(process.argv[2] ?? '') as Order

const stock = await transportOf(order.protocol)
const loadedMs = performance.now()
const Transport = order.socket === null ? stock : await wrapped(order.socket)
const loadMs = performance.now() - loadedMs
const client = Client.fromConnectionString(order.connectionString, Transport)
await client.setOptions({ ca: readFileSync(order.caFile, 'utf8') })
await client.open()
const startMs = performance.now()

// What is compiled and grown while it sends for the first time belongs to nobody.
await send(Math.ceil(order.messages / 10))
const cpuBefore = process.cpuUsage()
const beganMs = performance.now()
await send(order.messages)
const seconds = (performance.now() - beganMs) / 1e3
const { user, system } = process.cpuUsage(cpuBefore)

for (let time = 0; time < 4; time += 1) {
  global.gc?.()
  await new Promise(resolve => setTimeout(resolve, 50))
}
const figures: Figures = {
  startMs,
  loadMs,
  messagesPerSecond: order.messages / seconds,
  cpuUs: (user + system) / order.messages,
  residentMiB: process.memoryUsage.rss() / 2 ** 20,
}
writeSync(1, `${JSON.stringify(figures)}\n`)
await client.close()
process.exit(0)

/** Only the one that is used is loaded. */
async function transportOf(protocol: Order['protocol']): Promise<Transport> {
  if (protocol === 'mqtt') return (await import('azure-iot-device-mqtt')).default.Mqtt
  return (await import('azure-iot-device-amqp')).default.Amqp as unknown as Transport
}

async function wrapped(socket: string): Promise<Transport> {
  // As an application loads it: the package's own entry, which is made of the compiled sources.
  const entry: string = 'iothub-flight-recorder'
  const { recorded }: typeof import('../../agent/library.js') = await import(entry)
  return recorded(stock, { name: 'bench', socket })
}

/** Always so many messages are waiting for the hub's answer. */
function send(count: number): Promise<void> {
  const payload = Buffer.alloc(order.payloadBytes, 'x')
  return new Promise((resolve, reject) => {
    let sent = 0
    let done = 0
    const next = (): void => {
      if (sent === count) return
      sent += 1
      client.sendEvent(new Message(payload), error => {
        if (error) return reject(error)
        done += 1
        if (done === count) resolve()
        else next()
      })
    }
    for (let started = 0; started < Math.min(order.inFlight, count); started += 1) next()
  })
}
