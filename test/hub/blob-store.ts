/** A real Azurite, on disk, over HTTPS with a certificate of the hub's authority, behind a port that can misbehave. */

import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  BlobSASPermissions,
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import type { Authority } from './certificates.js'
import type { Tell } from './events.js'
import type { BlobFault } from './faults.js'
import { TcpProxy } from './proxy.js'

/** Azurite's one account; its key is public. */
const account = 'devstoreaccount1'
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
const signatureLifeMs = 60 * 60_000
const slowBytesPerSecond = 64 * 1024

/** The pipeline hands this on to its HTTP client, and its type leaves it out. */
type TlsPipelineOptions = StoragePipelineOptions & { tlsOptions: { ca: string } }

export type BlobProperties = Readonly<{ contentType: string | undefined; contentEncoding: string | undefined }>

type Azurite = Readonly<{ worker: Worker; port: number; client: BlobServiceClient }>

export class BlobStore {
  readonly #credential = new StorageSharedKeyCredential(account, accountKey)
  readonly #proxy = new TcpProxy({
    connect: () => connect({ port: this.#azuritePort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }),
  })
  #starting: Promise<Azurite> | null = null
  #azuritePort = 0

  constructor(
    private readonly dir: string,
    private readonly authority: Authority,
    private readonly tell: Tell,
  ) {}

  /** The host as the stock SDK puts it between `https://` and `/container`: with port, and with the account. */
  get host(): string {
    return `localhost:${this.port}/${account}`
  }

  get port(): number {
    return this.#proxy.port
  }

  /** Opens the port. Azurite itself starts when a container is first asked for. */
  open(): Promise<void> {
    return this.#proxy.listen('open')
  }

  async setFault(fault: BlobFault | null): Promise<void> {
    await this.#proxy.listen(fault === 'refuse' ? 'refused' : 'open')
    const { link } = this.#proxy
    link.holdTowardHub = link.holdTowardDevice = fault === 'stall'
    link.msPerByte = fault === 'slow' ? 1000 / slowBytesPerSecond : 0
    link.emit('changed')
    if (fault === 'refuse') this.#proxy.cut('rst')
    this.tell({ type: 'blobFault', fault })
  }

  /** Makes the container where it does not exist yet. */
  async container(name: string): Promise<void> {
    const { client } = await this.#azurite()
    await client.getContainerClient(name).createIfNotExists()
  }

  blobUri(container: string, blobName: string): string {
    return `https://${this.host}/${container}/${blobName}`
  }

  /** What IoT Hub hands to a device: read and write on one blob for an hour. Begins with `?`. */
  blobSas(containerName: string, blobName: string): string {
    return this.#sign({ containerName, blobName, permissions: BlobSASPermissions.parse('rw') })
  }

  async containerSasUrl(containerName: string): Promise<string> {
    await this.container(containerName)
    const sas = this.#sign({ containerName, permissions: ContainerSASPermissions.parse('rcwl') })
    return `https://${this.host}/${containerName}${sas}`
  }

  async read(container: string, blobName: string): Promise<Buffer> {
    const { client } = await this.#azurite()
    return client.getContainerClient(container).getBlobClient(blobName).downloadToBuffer()
  }

  /** As whoever downloads it is told. */
  async properties(container: string, blobName: string): Promise<BlobProperties> {
    const { client } = await this.#azurite()
    const { contentType, contentEncoding } = await client
      .getContainerClient(container)
      .getBlobClient(blobName)
      .getProperties()
    return { contentType, contentEncoding }
  }

  /** Ended as by a power cut: blocks that were not committed may be forgotten. It is there again when the promise resolves. */
  async restart(): Promise<void> {
    const { worker } = await this.#azurite()
    this.#proxy.cut('rst')
    await worker.terminate()
    this.#starting = null
    await this.#azurite()
  }

  async close(): Promise<void> {
    await this.#proxy.close()
    // One that could not start has nothing to end, and whoever wanted it has heard why.
    await this.#starting?.then(
      ({ worker }) => worker.terminate(),
      () => 0,
    )
  }

  #sign(values: Parameters<typeof generateBlobSASQueryParameters>[0]): string {
    const from = new Date(Date.now() - 5 * 60_000)
    const to = new Date(Date.now() + signatureLifeMs)
    return `?${generateBlobSASQueryParameters({ ...values, startsOn: from, expiresOn: to }, this.#credential)}`
  }

  #azurite(): Promise<Azurite> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /** In a thread, so that it ends with this process however that ends. */
  async #start(): Promise<Azurite> {
    const { cert, key } = await this.authority.issue('good')
    const files = { cert: join(this.dir, 'azurite-cert.pem'), key: join(this.dir, 'azurite-key.pem') }
    await mkdir(this.dir, { recursive: true })
    await writeFile(files.cert, cert)
    await writeFile(files.key, key, { mode: 0o600 })
    const worker = new Worker(createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js'), {
      argv: [
        ...['--blobHost', '127.0.0.1', '--blobPort', '0', '--location', this.dir],
        ...['--cert', files.cert, '--key', files.key],
        ...['--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ],
      execArgv: [],
      stdout: true,
      stderr: true,
    })
    const port = await listeningPort(worker)
    this.#azuritePort = port
    const url = `https://localhost:${port}/${account}`
    const options: TlsPipelineOptions = { tlsOptions: { ca: this.authority.ca } }
    const client = new BlobServiceClient(url, this.#credential, options)
    return { worker, port, client }
  }
}

/** Azurite says its port on stdout. */
function listeningPort(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      const found = /listens on https:\/\/.*:(\d+)/.exec(said)
      if (found) resolve(Number(found[1]))
    }
    worker.stdout.on('data', listen)
    worker.stderr.on('data', listen)
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`Azurite ended with ${code} instead of listening: ${said}`)))
  })
}
