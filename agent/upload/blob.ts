/** A blob that is uploaded in blocks. Azure's library is used for single requests: retries, proof of progress and time limits are ours. */
import { Agent } from 'node:https'
import { BlockBlobClient, newPipeline, RestError, type StoragePipelineOptions } from '@azure/storage-blob'
import { asNodeLookup } from '../../transports/file-upload.js'
import { type FindProxy, ProxyAgent } from '../../transports/proxy.js'
import type { Lookup } from '../../transports/socket-tap.js'
import type { Trust } from '../../transports/trust.js'

/** Connects to a storage service. */
export type StorageRoad = Readonly<{
  trust: Pick<Trust, 'context' | 'proxyContext'>
  /** Default: the system's. */
  lookup?: Lookup
  /** Default: none is used, whatever the environment says. */
  findProxy?: FindProxy
}>

/** What the storage tells whoever downloads it. `contentType`: default `application/zip`. */
export type BlobForm = Readonly<{ contentType?: string; contentEncoding?: string }>

export interface BlockBlob {
  /**
   * Resolves once the service has acknowledged the block. It keeps blocks that are not committed for a week.
   *
   * @param id base64, of equal length for all blocks of a blob
   * @throws BlobError
   */
  stage(id: string, bytes: Buffer, signal: AbortSignal): Promise<void>
  /** Makes the blob of these blocks, in this order, in place of what is there. @throws BlobError */
  commit(ids: readonly string[], form: BlobForm, signal: AbortSignal): Promise<void>
  /** Ends its connections. */
  close(): void
}

/** What the service or the road to it said; holds no part of the URL. */
export class BlobError extends Error {
  override readonly name = 'BlobError'

  constructor(
    message: string,
    /** HTTP status; `null` when no answer came. */
    readonly status: number | null,
    /** The service's word, as `AuthenticationFailed`, or the system's, as `ECONNRESET`. */
    readonly code: string | null,
  ) {
    super(message)
  }
}

/** The options reach an HTTP pipeline that knows more of them than this type says. */
type PipelineOptions = StoragePipelineOptions &
  Readonly<{ agent: Agent | ProxyAgent; redirectOptions: { maxRetries: number } }>

/** @param url of the blob, with its signature */
export function openBlob(url: string, { trust, lookup, findProxy }: StorageRoad): BlockBlob {
  const { hostname, port } = new URL(url)
  const proxy = findProxy?.(hostname.replace(/^\[|\]$/g, ''), Number(port || 443)) ?? null
  // Behind a proxy it is the proxy that resolves the name. With an agent of our own the library takes no proxy from the environment, and connects where the lookup says.
  const agent = proxy
    ? new ProxyAgent(proxy, trust)
    : new Agent({
        secureContext: trust.context,
        keepAlive: true,
        maxSockets: 1,
        ...(lookup ? { lookup: asNodeLookup(lookup) } : {}),
      })
  const options: PipelineOptions = {
    agent,
    redirectOptions: { maxRetries: 0 },
    retryOptions: { maxTries: 1 },
    userAgentOptions: { userAgentPrefix: 'hubrec' },
  }
  const client = new BlockBlobClient(url, newPipeline(undefined, options))

  return {
    async stage(id, bytes, abortSignal) {
      await translated(client.stageBlock(id, bytes, bytes.length, { abortSignal }), abortSignal)
    },
    async commit(ids, { contentType = 'application/zip', contentEncoding }, abortSignal) {
      const encoded = contentEncoding === undefined ? {} : { blobContentEncoding: contentEncoding }
      const blobHTTPHeaders = { blobContentType: contentType, ...encoded }
      await translated(client.commitBlockList([...ids], { blobHTTPHeaders, abortSignal }), abortSignal)
    },
    close: () => agent.destroy(),
  }
}

async function translated<T>(request: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await request
  } catch (error) {
    // Not as its cause: the library's errors hold the request, and so the URL with the signature.
    throw translate(error, signal)
  }
}

function translate(error: unknown, signal: AbortSignal): BlobError {
  if (error instanceof RestError && error.statusCode !== undefined) {
    const code = word(error.code)
    return new BlobError(`the storage answered ${[error.statusCode, code].join(' ').trim()}`, error.statusCode, code)
  }
  if (signal.aborted) return new BlobError('the storage did not answer in time', null, 'ETIMEDOUT')
  const code = error instanceof Error && 'code' in error ? word(error.code) : null
  return new BlobError(`the storage could not be reached${code === null ? '' : `: ${code}`}`, null, code)
}

/** Anything longer than a code is a text, and may hold what must not be repeated. */
const word = (code: unknown): string | null => (typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : null)
