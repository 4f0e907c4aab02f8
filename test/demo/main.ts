/**
 * The main job against the local hub, in about a minute: connect, lose the hub in four ways, recover, upload a bundle
 * by direct method, show the verdicts beside what the stock SDK told its application.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { verifyBundle } from '../../agent/bundle/unzip.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { startHub } from '../hub/hub.js'
import { startNameServer } from '../hub/name-server.js'
import { serviceClient } from '../hub/service-client.js'
import { type Child, startChild } from './child.js'
import { scenarios } from './scenarios.js'
import { type Row, showRows } from './table.js'

const keepaliveSeconds = 3
const takeOverFloorSeconds = 3
/** How long the demo waits for each side to come back after a fault has ended. */
const patienceMs = 10_000

const hubrecId = 'gateway-hubrec'
const stockId = 'gateway-stock'

const json = process.argv.includes('--json')
const say = (line: string): void => {
  if (!json) process.stdout.write(`${line}\n`)
}

const dir = await mkdtemp(join(tmpdir(), 'hubrec-demo-'))
const hub = await startHub({ hostName: 'demo-hub.azure-devices.net' })
const names = await startNameServer()
const children: Child[] = []
try {
  process.exitCode = await demo()
} finally {
  await Promise.all(children.map(child => child.stop()))
  await hub.close()
  await names.close()
  await rm(dir, { recursive: true, force: true })
}

async function demo(): Promise<number> {
  say(`A local hub, hubrec, and beside it an application on the stock SDK; each with its own device identity.`)
  say(`So that this takes a minute, the keepalive is ${keepaliveSeconds} s for both sides of the comparison (hubrec's`)
  say(
    `default is 60 s, the SDK's 180 s), and hubrec's floor after take-overs ${takeOverFloorSeconds} s instead of 2 min.`,
  )
  say('An application that stays away is started again before the next fault, as a supervisor would.')
  say('')
  await hub.addDevice(hubrecId)
  await hub.addDevice(stockId)
  const daemon = await startDaemon()
  let stock = await startStock()

  const rows: Row[] = []
  for (const { done, strike } of scenarios) {
    say(`... ${done}`)
    const since = new Date().toISOString()
    const struckMs = performance.now()
    stock.forget()
    await strike({ hub, names, deviceIds: [hubrecId, stockId] })
    const [hubrecBackMs, stockBackMs] = await Promise.all([hubrecId, stockId].map(answersAgainAfter))
    const episode = await verdictSince(since)
    rows.push({
      done,
      observedMs: performance.now() - struckMs,
      stockSaid: stock.lines().map(({ event, said }) => (said === null ? String(event) : `${event}: ${said}`)),
      stockBackMs: stockBackMs ?? null,
      hubrecBackMs: hubrecBackMs ?? null,
      cause: episode?.verdict.cause ?? null,
      confidence: episode?.verdict.confidence ?? null,
      patienceMs,
    })
    if (stockBackMs === null) {
      await stock.stop()
      stock = await startStock()
    }
  }

  say('... UploadSupportBundle through the service SDK')
  const { blobName, file, whole } = await fetchBundle()
  await daemon.stop()
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ keepaliveSeconds, takeOverFloorSeconds, rows, bundle: { blobName, file, whole } })}\n`,
    )
  } else {
    for (const line of showRows(rows)) say(line)
    say('"back": from the end of the fault (of a reset: from the reset) until a direct method was answered.')
    say('')
    say(`The bundle came through the hub's file upload as ${blobName}, and is ${whole ? 'whole' : 'DAMAGED'}:`)
    say(`  ./${relative('.', file)}`)
    say(`Look into it: npm start -- episodes --bundle ${relative('.', file)}`)
  }
  const asExpected = rows.every(({ cause, hubrecBackMs }) => cause !== null && hubrecBackMs !== null)
  return asExpected && whole ? 0 : 1
}

async function startDaemon(): Promise<Child> {
  const config = {
    connection: {
      caFile: hub.caFile,
      keepaliveSeconds,
      ports: { https: hub.ports.https },
      retry: { takeOverFloorSeconds, takeOverCapSeconds: takeOverFloorSeconds * 2 },
    },
    stateDir: join(dir, 'state'),
    samples: { intervalSeconds: 1 },
    // A demonstration asks nobody outside.
    probes: { enabled: false },
  }
  const file = join(dir, 'config.json')
  await writeFile(file, JSON.stringify(config, null, 2))
  return start('../../agent/cli/main.js', ['run', '--config', file], {
    HUBREC_CONNECTION_STRING: hub.connectionString(hubrecId),
  })
}

async function startStock(): Promise<Child> {
  return start('./stock-app.js', [], {
    DEMO_CONNECTION_STRING: hub.connectionString(stockId),
    DEMO_CA_FILE: hub.caFile,
    DEMO_KEEPALIVE_SECONDS: String(keepaliveSeconds),
  })
}

/** Resolves once the hub can call a method of it. */
async function start(script: string, args: string[], env: Record<string, string>): Promise<Child> {
  const child = startChild(script, args, { ...env, HUBREC_TEST_NAME_SERVER: names.address })
  children.push(child)
  const deviceId = script.includes('stock') ? stockId : hubrecId
  if ((await answersAgainAfter(deviceId)) === null) throw new Error(`${script} did not connect:\n${child.errors()}`)
  return child
}

/**
 * How long from now until the device answers a direct method; `null` when it does not within the patience. A call that was
 * made while the device was away ends by its time-out only, so a new one is made every 100 ms.
 */
async function answersAgainAfter(deviceId: string): Promise<number | null> {
  const startedMs = performance.now()
  const called: { answeredMs: number | null } = { answeredMs: null }
  const call = async (): Promise<void> => {
    const { status } = await hub.invokeMethod({ deviceId }, { methodName: 'ping', responseTimeoutInSeconds: 5 })
    if (status === 200) called.answeredMs ??= performance.now() - startedMs
  }
  while (called.answeredMs === null && performance.now() - startedMs < patienceMs) {
    // Not being answered is what the next call is for.
    call().catch(() => undefined)
    await sleep(100)
  }
  return called.answeredMs
}

/** The verdict on what happened since: of the last outage that was no plan. */
async function verdictSince(since: string): Promise<Episode | undefined> {
  const { payload } = await hub.invokeMethod({ deviceId: hubrecId }, { methodName: 'GetEpisodes', payload: { since } })
  return (payload as Episode[]).findLast(({ planned }) => !planned)
}

async function fetchBundle(): Promise<{ blobName: string; file: string; whole: boolean }> {
  const client = serviceClient(hub)
  const call = async (methodName: string, payload: object): Promise<Record<string, unknown>> => {
    const { result } = await client.invokeDeviceMethod(hubrecId, { methodName, payload, responseTimeoutInSeconds: 10 })
    if (result.status !== 200) throw new Error(`${methodName}: ${result.status} ${JSON.stringify(result.payload)}`)
    return result.payload
  }
  const task = await call('UploadSupportBundle', { schemaVersion: '1.0', since: '1h' })
  let state = task
  while (state.status === 'Running' || state.status === 'NotStarted') {
    await sleep(200)
    state = await call('GetTaskStatus', { schemaVersion: '1.0', correlationId: task.correlationId })
  }
  if (state.status !== 'Completed') throw new Error(`the upload: ${JSON.stringify(state)}`)
  const blobName = String(state.blobName)
  const upload = hub.uploads.find(each => each.blobName.endsWith(blobName))
  if (!upload) throw new Error(`the hub knows no upload of ${blobName}`)
  const file = resolve('hubrec-demo-bundle.zip')
  await writeFile(file, await hub.readBlob(upload.containerName, upload.blobName))
  let whole = true
  for await (const { status } of verifyBundle(file)) whole &&= status === 'ok'
  return { blobName, file, whole }
}
