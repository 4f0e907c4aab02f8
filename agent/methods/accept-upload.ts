/** Takes an upload on, from whoever asks for it in the cloud: where it may go, whether there is room for it, and its id. */
import type { MethodAnswer } from '../../transports/transport.js'
import { AgentError } from '../errors.js'
import { pointedAt, windowAround } from '../evidence/around.js'
import { readRecords } from '../evidence/read.js'
import type { Window } from '../evidence/window.js'
import { addressProblem, checkSasUrl, guardLookup, isForbiddenHost } from '../upload/destination.js'
import type { Request, Task } from '../upload/task.js'
import { type MethodContext, Refusal } from './method.js'
import type { SupportBundlePayload } from './payloads.js'

/** The answer does not wait longer for a name server; the upload asks again. */
const lookupLimitMs = 2_000

export type UploadContext = Pick<MethodContext, 'device' | 'uploader' | 'admission' | 'allowed' | 'lookup' | 'nowMs'>

/** @throws Refusal 400 for a place that is not allowed, without opening a socket there */
export async function checkDestination(
  sasUrl: string | null,
  { device, allowed, lookup }: UploadContext,
): Promise<void> {
  if (sasUrl === null) {
    if (device.moduleId === null) return
    throw new Refusal(400, 'sasUrl: is missing; IoT Hub gives file upload to devices, and this identity is a module')
  }
  const checked = checkSasUrl(sasUrl, allowed)
  if ('problem' in checked) throw new Refusal(400, `sasUrl: ${checked.problem}`)
  if (await isForbiddenHost(checked.url, guardLookup(allowed, lookup), lookupLimitMs)) {
    throw new Refusal(400, `sasUrl: ${addressProblem}`)
  }
}

/**
 * @param sasUrl that was checked; `null`: by the hub's own file upload
 * @throws Refusal 429 when busy, 500 when it could not be written down
 */
export async function acceptUpload(request: Request, sasUrl: string | null, context: UploadContext): Promise<Task> {
  const { uploader } = context
  // Nothing is waited for from here to accept(), so that of two requests at once only one finds it free.
  const busyWith = uploader.busy()
  if (busyWith !== null) throw new Refusal(429, `an upload is under way: ask GetTaskStatus for ${busyWith}`)
  admit(context)
  return uploader.accept(request, sasUrl).catch(refuse)
}

export type BundleContext = UploadContext & Pick<MethodContext, 'ringDir' | 'readers'>

/**
 * A bundle, whoever asks for it.
 *
 * @throws Refusal 400 for what cannot be had, 429 when busy, 500 when it could not be written down
 */
export async function acceptBundle(
  { around, sasUrl, window, types, bytesMax }: SupportBundlePayload,
  asked: Pick<Request, 'requestedBy' | 'why' | 'trigger'>,
  context: BundleContext,
): Promise<Task> {
  const nowMs = context.nowMs()
  await checkDestination(sasUrl, context)
  const { since, until = nowMs } = around === null ? window : await windowOf(around, context, nowMs)
  const request = {
    window: { ...(since === undefined ? {} : { since }), until },
    ...asked,
    ...(types === null ? {} : { types }),
    ...(bytesMax === null ? {} : { bytesMax }),
  }
  return acceptUpload(request, sasUrl, context)
}

async function windowOf(id: string, { ringDir, readers }: BundleContext, nowMs: number): Promise<Window> {
  if (!readers.enter()) throw new Refusal(429, 'other requests for the ring are being answered')
  const records = readRecords(ringDir, { types: pointedAt })
  const window = await windowAround(records, id, nowMs).finally(() => readers.leave())
  if (window === null) throw new Refusal(400, 'around: no mark and no episode has this id')
  return window
}

/**
 * A request that leaves nothing to upload is a task that is done.
 *
 * @throws Refusal as `acceptUpload` does
 */
export async function acceptNothing(request: Request, message: string, context: UploadContext): Promise<Task> {
  admit(context)
  return context.uploader.acceptDone(request, message).catch(refuse)
}

/** What IoT Edge's agent answers of a task that was taken on: one that has not begun is as good as running. */
export function acceptedAnswer({ correlationId, status, message }: Task): MethodAnswer {
  const said = status === 'NotStarted' ? 'Running' : status
  return { status: 200, payload: { status: said, message, correlationId } }
}

function admit({ admission, nowMs }: UploadContext): void {
  const now = nowMs()
  if (!admission.mayAccept(now)) throw new Refusal(429, 'ten uploads were accepted within the last minute')
  admission.accepted(now)
}

function refuse(error: unknown): never {
  throw refusalOf(error)
}

function refusalOf(error: unknown): unknown {
  if (error instanceof AgentError && error.code === 'UPLOAD_REFUSED') return new Refusal(400, error.message)
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === null ? error : new Refusal(500, `the task could not be written down: ${code}`)
}
