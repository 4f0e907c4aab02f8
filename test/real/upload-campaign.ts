/**
 * Uploads that are asked for through the stock service SDK, while the link, the hub, the storage and the daemon itself fail at random
 * block boundaries: each blob is what the daemon made, byte for byte, and the hub is told of each exactly once. Three with every
 * `npm test`, a hundred with HUBREC_TEST_LONG; UPLOAD_CAMPAIGN says how many in spite of both.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Task, TaskView } from '../../agent/upload/task.js'
import { startHub } from '../hub/hub.js'
import { among, countOf, isLong, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { hashOf, noisyLines, UploadingDevice } from '../support/uploading-device.js'

const uploads = countOf('UPLOAD_CAMPAIGN', { slice: 3, long: 100 })
/** No device is asked for more than ten in a minute. */
const uploadsPerDevice = 5
const blockBytes = 512 << 10

t.setTimeout(0)
t.comment(seedSaid)
const random = randomFrom(seed)
const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T
const hub = await startHub()
let device: UploadingDevice | null = null
t.teardown(async () => {
  await device?.[Symbol.asyncDispose]()
  await hub.close()
})

/** When: as soon as the file is being made, so many blocks are acknowledged, or the blob is whole and the hub is still to be told. */
type Boundary = 'making' | 'notifying' | number

const isReached = (boundary: Boundary, { phase, blocksDone }: Task): boolean => {
  if (phase === 'notifying' || phase === 'done') return true
  if (boundary === 'making') return phase === 'making'
  return phase === 'sending' && typeof boundary === 'number' && blocksDone >= boundary
}

type Strike = Readonly<{ kind: keyof typeof strikes; boundary: Boundary }>

const stallMs = (): number => among(random, 200, 2_000)

/** Each leaves everything healed, or to be healed by what it has started. */
const strikes = {
  'link cut': async ({ deviceId }: UploadingDevice) => hub.door(deviceId).cut('fin'),
  'link reset': async ({ deviceId }: UploadingDevice) => hub.door(deviceId).cut('rst'),
  'link stalled': async ({ deviceId }: UploadingDevice) => {
    await hub.door(deviceId).set({ kind: 'blackHole', direction: 'both' })
    await sleep(stallMs())
    await hub.door(deviceId).heal()
  },
  'hub busy': async ({ deviceId }: UploadingDevice) =>
    hub
      .door(deviceId)
      .set({ kind: 'http', status: 503, on: pick(['files', 'notifications']), times: among(random, 1, 2) }),
  'storage cut': async () => {
    await hub.blobFault('refuse')
    await hub.blobFault(null)
  },
  'storage away': async ({ watch }: UploadingDevice, correlationId: string) => {
    await hub.blobFault('refuse')
    // Until the daemon has met it, or had nothing to do with it any more.
    await watch.until(task => task.correlationId === correlationId && (task.phase !== 'sending' || task.message !== ''))
    await hub.blobFault(null)
  },
  'storage stalled': async ({ watch }: UploadingDevice, correlationId: string) => {
    await hub.blobFault('stall')
    if (isLong && random() < 0.2) {
      await watch.until(
        task => task.correlationId === correlationId && (task.phase !== 'sending' || task.message !== ''),
      )
    } else await sleep(stallMs())
    await hub.blobFault(null)
  },
  'storage restarted': async (device: UploadingDevice, correlationId: string) =>
    // Azurite forgets what it has committed in its last five seconds, which a storage never does: not while that may be so.
    device.held(async () => {
      const { phase, blocksDone, bytesTotal } = device.watch.now(correlationId)
      if (phase === 'sending' && blocksDone * blockBytes < (bytesTotal ?? 0)) await hub.restartBlobStore()
    }),
  'daemon killed': async (device: UploadingDevice) => {
    await device.kill()
    await device.start()
  },
} as const satisfies Readonly<Record<string, (device: UploadingDevice, correlationId: string) => Promise<void>>>

const kinds = Object.keys(strikes) as (keyof typeof strikes)[]

/** Every kind comes up as often as any other; what is dealt with in between is chance. */
let deck: (keyof typeof strikes)[] = []
const nextKind = (): keyof typeof strikes => {
  if (deck.length === 0) deck = [...kinds].sort(() => random() - 0.5)
  return deck.pop() as keyof typeof strikes
}

const boundaryOf = (kind: keyof typeof strikes): Boundary => {
  if (kind === 'daemon killed' && random() < 0.4) return pick(['making', 'notifying'])
  return among(random, 0, isLong ? 4 : 2)
}

const rankOf = (boundary: Boundary): number =>
  boundary === 'making' ? -1 : boundary === 'notifying' ? Number.POSITIVE_INFINITY : boundary

const planned = (): Strike[] =>
  Array.from({ length: among(random, 1, 3) }, () => {
    const kind = nextKind()
    return { kind, boundary: boundaryOf(kind) }
  }).sort((a, b) => rankOf(a.boundary) - rankOf(b.boundary))

/** How often each kind has struck an upload that was under way. */
const struck = new Map<string, number>()

for (let upload = 0; upload < uploads; upload++) {
  const strikesOfThis = planned()
  const said = strikesOfThis.map(({ kind, boundary }) => `${kind} at ${boundary}`).join(', ')
  await t.test(`upload ${upload}: ${said}`, async t => {
    if (device === null || upload % uploadsPerDevice === 0) {
      await device?.[Symbol.asyncDispose]()
      device = null
      device = await UploadingDevice.make(hub, `gate-${upload}`, noisyLines(isLong ? 1_500 : 900, random))
    }
    const { deviceId, watch, gateway } = device

    const accepted = await device.call('UploadSupportBundle', { schemaVersion: '1.0' })
    t.match(accepted, { status: 200, payload: { status: 'Running', message: '', correlationId: String } })
    const { correlationId } = accepted.payload as TaskView
    const isOurs = (task: Task): boolean => task.correlationId === correlationId
    for (const { kind, boundary } of strikesOfThis) {
      const { phase, blocksDone } = await watch.until(task => isOurs(task) && isReached(boundary, task))
      if (phase === 'done') break
      struck.set(kind, (struck.get(kind) ?? 0) + 1)
      t.comment(`${kind} at ${phase} ${blocksDone}`)
      await strikes[kind](device, correlationId)
    }
    const done = await watch.until(task => isOurs(task) && task.phase === 'done' && task.owed.length === 0)
    await hub.door(deviceId).heal()

    t.match(done, { status: 'Completed', message: '', sasUrl: null })
    const blobName = done.blobName ?? ''
    const blob = await hub.readBlob('uploads', blobName)
    t.equal(hashOf(blob), await device.madeHash(), 'the blob is what the daemon made')
    const file = join(gateway.dir, 'downloaded.zip')
    await writeFile(file, blob)
    const verified = await gateway.run('verify', file)
    t.equal(verified.code, 0, `hubrec verify: ${verified.out}${verified.err}`)
    t.strictSame(await device.call('GetTaskStatus', { schemaVersion: '1.0', correlationId }), {
      status: 200,
      payload: {
        correlationId,
        status: 'Completed',
        message: '',
        bytesDone: blob.length,
        bytesTotal: blob.length,
        blobName,
      },
    })
    const told = hub.uploads.filter(each => each.deviceId === deviceId && each.blobName === blobName)
    t.equal(told.filter(({ isSuccess }) => isSuccess).length, 1, 'the hub has heard of one success')
    // One that the hub began while the daemon died, or whose answer was lost, has no name that the daemon could tell.
    const untold = told.filter(each => each.isSuccess === null && watch.uploadIds.has(each.correlationId))
    t.strictSame(untold, [], 'and of the end of every upload that was replaced')
    t.comment(`${blob.length} bytes, ${told.length} uploads at the hub`)
  })
}
t.comment(`strikes: ${JSON.stringify(Object.fromEntries(struck))}`)
