/** A daemon's direct methods over a real ring and a real outbox, without its connection. */
import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { MethodDeps } from '../../agent/methods/method.js'
import { createMethods } from '../../agent/methods/methods.js'
import { createRedactor } from '../../agent/redact.js'
import { openOutbox } from '../../agent/upload/outbox.js'
import { viewOf } from '../../agent/upload/task.js'
import { createUploader, type UploaderOptions } from '../../agent/upload/uploader.js'
import { createSecrets } from '../../transports/secrets.js'
import type { MethodAnswer } from '../../transports/transport.js'
import { createTrust } from '../../transports/trust.js'
import { type Line, recordRing, story, storyStartMs } from './recorded-ring.js'

const trust = createTrust(null, null)
/** The one place that the configuration allows, and an honest URL of it. */
export const container = 'https://account.blob.core.windows.net/bundles'
export const signature = 'c2VjcmV0LXNpZ25hdHVyZS1vZi1hLXRlc3Q='
export const sasUrl = `${container}?sv=2024-11-04&sp=cw&sig=${encodeURIComponent(signature)}`

type Told = Readonly<{ method: string; error: unknown }>

export type MethodsDevice = Readonly<{
  call(name: string, payload?: unknown): Promise<MethodAnswer>
  raw(name: string, payload: Buffer): Promise<MethodAnswer>
  failures: Told[]
  /** What would go to the ring and to the daemon's log, before any redaction. */
  told: string[]
  /** Resolves when the next task has failed. */
  failed(): Promise<void>
  /** Lets the making of the next bundle fail; resolves when its task has failed. */
  failNext(): Promise<void>
  outboxDir: string
}>

export const nowMs = storyStartMs + 60_000

/** A daemon's methods, with a bundle that takes as long as the test wants. */
export async function methodsDevice(
  t: Test,
  {
    lines = story,
    uploads = {},
    outboxDir: givenDir,
    ...change
  }: Partial<MethodDeps> & { lines?: Iterable<Line>; uploads?: Partial<UploaderOptions>; outboxDir?: string } = {},
): Promise<MethodsDevice> {
  const dir = t.testdir()
  const secrets = createSecrets()
  await recordRing(join(dir, 'ring'), lines, { secrets })
  const outboxDir = givenDir ?? join(dir, 'outbox')
  const told: string[] = []
  const warn = (message: string): void => {
    told.push(message)
    t.comment(message)
  }
  const outbox = await openOutbox({ dir: outboxDir, secrets, warn })
  const steps = new EventEmitter()
  const makings: (() => void)[] = []
  const allowed = { containers: [container], privateHosts: [] }
  const uploader = createUploader({
    outbox,
    make: (_task, _file, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        makings.push(() => reject(new Error('the disk is full')))
        steps.emit('making')
      }),
    link: { target: () => new Promise(() => undefined), notify: async () => undefined },
    allowed,
    storage: { trust, lookup: (_host, callback) => callback(new Error('no network in this test'), []) },
    secrets,
    onStep: (task, step) => {
      told.push(JSON.stringify({ ...viewOf(task), step }))
      steps.emit(step)
    },
    ...uploads,
  })
  const stop = new AbortController()
  void uploader.part.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    // Behind what is still being written.
    for (const { correlationId } of outbox.tasks()) await outbox.update(correlationId, {})
  })
  const failures: Told[] = []
  const answer = createMethods({
    device: { hub: 'my-hub.azure-devices.net', deviceId: 'gate', moduleId: null },
    ringDir: join(dir, 'ring'),
    redactor: createRedactor(secrets),
    uploader,
    outbox,
    allowed,
    status: async () => ({ daemon: 'running' }),
    doctor: async () => ({ checks: { 'hub-name': { result: { result: 'ok' } } } }),
    onFailure: (method, error) => failures.push({ method, error }),
    nowMs: () => nowMs,
    lookup: (_host, callback) => callback(null, [{ address: '20.60.1.1', family: 4 }]),
    ...change,
  })
  const raw = (name: string, payload: Buffer) => answer({ name, requestId: '1', payload })
  return {
    raw,
    call: (name, payload = {}) => raw(name, Buffer.from(JSON.stringify(payload))),
    failures,
    told,
    async failed() {
      await once(steps, 'failed')
    },
    async failNext() {
      const failed = once(steps, 'failed')
      if (makings.length === 0) await once(steps, 'making')
      makings.shift()?.()
      await failed
    },
    outboxDir,
  }
}
