/** The hub's file upload over the real SDK, against the local hub and against servers that are no hub at all. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { parseConnectionString } from '../../transports/credentials.js'
import { createFileUpload, FileUploadError, type FileUploadOptions, type Link } from '../../transports/file-upload.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import { makeAuthority } from '../hub/certificates.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
const door = await hub.addDevice('gate', { moduleIds: ['recorder'] })
t.teardown(() => hub.close())

const secrets = createSecrets()
const linkTo = (options: Partial<FileUploadOptions> = {}, moduleId?: string): Link | null =>
  createFileUpload({
    identity: () => parseConnectionString(hub.connectionString('gate', moduleId), 'the test', secrets),
    trust: createTrust(hub.ca, null),
    host: 'localhost',
    httpsPort: hub.ports.https,
    secrets,
    ...options,
  })
const link = linkTo()

/** What a refused call threw, as far as a caller looks at it. */
const refusalOf = async (call: Promise<unknown> | undefined): Promise<unknown> => {
  try {
    await call
    return null
  } catch (error) {
    if (!(error instanceof FileUploadError)) throw error
    const { message, status, hubCode, passing } = error
    return { message, status, hubCode, passing }
  }
}

t.test('the hub names a place, hears how it went, and nothing keeps the process or the secret', async t => {
  const target = await link?.target('a bundle.zip')
  t.match(target, { containerName: 'uploads', blobName: 'gate/a bundle.zip', sasToken: /^\?.*sig=/ })
  t.notMatch(secrets.scrub(`see ${target?.sasToken}`).text, 'sig=', 'the signature is a secret from then on')
  await link?.notify(target?.correlationId ?? '', { ok: true, statusCode: 201, statusDescription: 'geschafft: ü€' })
  t.match(hub.uploads.at(-1), { isSuccess: true, statusCode: 201, statusDescription: 'geschafft: ??' })
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const again = await link?.target('another.zip')
  t.equal(timers(), before, 'the SDK renews no token')
  await link?.notify(again?.correlationId ?? '', { ok: false, statusCode: 0, statusDescription: 'only a test' })
})

t.test('a module has no file upload', async t => {
  t.equal(linkTo({}, 'recorder'), null)
})

t.test('the limit of ten uploads is explained with its number', async t => {
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push((await link?.target(`bundle-${n}.zip`))?.correlationId ?? '')
  t.strictSame(await refusalOf(link?.target('one-too-many.zip')), {
    message:
      'the hub refused with status 403, 403006, DeviceMaximumActiveFileUploadLimitExceeded: this device has ten file ' +
      'uploads under way, which is the limit; each counts until the hub is told its end, or its SAS expires, after an ' +
      'hour unless the hub is set to more; it is tried again',
    status: 403,
    hubCode: '403006',
    passing: true,
  })
  for (const id of ids) await link?.notify(id, { ok: false, statusCode: 0, statusDescription: 'only a test' })
})

t.test('a notification that the hub does not want keeps its status, which the SDK forgets', async t => {
  t.strictSame(await refusalOf(link?.notify('unknown', { ok: true, statusCode: 201, statusDescription: '' })), {
    message: 'the hub refused with status 400, ArgumentInvalid',
    status: 400,
    hubCode: 'ArgumentInvalid',
    passing: false,
  })
})

t.test('a hub that is busy, or silent, or whose answer is waited for by a daemon that stops', async t => {
  door.set({ kind: 'http', status: 503, times: 1 })
  t.match(await refusalOf(link?.target('x')), { status: 503, passing: true })
  door.set({ kind: 'httpSilent' })
  t.match(await refusalOf(linkTo({ callTimeoutMs: 200 })?.target('x')), {
    message: 'the hub did not answer within 200 ms',
    status: null,
    passing: true,
  })
  const stop = new AbortController()
  const stopped = refusalOf(link?.target('x', stop.signal))
  stop.abort()
  t.match(await stopped, { message: 'stopped before the hub had answered' })
  t.match(await refusalOf(link?.target('x', stop.signal)), { message: 'stopped before the hub had answered' })
  door.heal()
})

t.test('a name that does not resolve, a port that is closed, and a server that nobody vouches for', async t => {
  const unresolved = linkTo({
    host: 'no-such-hub.example',
    lookup: (_host, callback) => callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []),
  })
  t.match(await refusalOf(unresolved?.target('x')), {
    message: 'the hub could not be asked: not found, ENOTFOUND',
    status: null,
    passing: true,
  })
  t.match(await refusalOf(linkTo({ httpsPort: 1 })?.target('x')), { message: /ECONNREFUSED/, passing: true })
  t.match(await refusalOf(linkTo({ trust: createTrust(null, null) })?.target('x')), {
    message: /certificate/,
    passing: true,
  })
})

/** A server with a certificate that the device trusts, as a proxy of a company has. */
const impostor = async (t: Test, answer: RequestListener): Promise<Link | null> => {
  const authority = await makeAuthority('localhost')
  const server = createServer(await authority.issue('good'), answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return linkTo({ trust: createTrust(authority.ca, null), httpsPort: (server.address() as AddressInfo).port })
}

t.test('an answer that is not the hub’s ends the call and not the process', async t => {
  const said = 'the answer (status 200) is not what IoT Hub answers'
  const noPlace = 'the hub named no place that a file could go to'
  const good = {
    correlationId: 'c',
    hostName: 'h.example',
    containerName: 'c',
    blobName: 'b',
    sasToken: '?sig=abcdefgh',
  }
  const answers: readonly (readonly [body: string, message: string | RegExp])[] = [
    ['<html>please sign in</html>', said],
    ['', said],
    ['"text"', said],
    ['null', said],
    ['[]', said],
    ['{}', noPlace],
    [JSON.stringify({ ...good, hostName: 'h.example/../evil@' }), noPlace],
    [JSON.stringify({ ...good, sasToken: '?sig=abc#fragment' }), noPlace],
    [JSON.stringify({ ...good, sasToken: 'sig=abc' }), noPlace],
    [JSON.stringify({ ...good, containerName: 7 }), noPlace],
    [`{"x":"${'x'.repeat(70_000)}"}`, 'the answer is too long for IoT Hub'],
  ]
  let body = ''
  const fake = await impostor(t, (request, response) => {
    request.resume()
    response.end(body)
  })
  for (const [text, message] of answers) {
    body = text
    t.match(await refusalOf(fake?.target('x')), { message }, text.slice(0, 60))
  }
})

t.test('a connection that ends in the middle of an answer is an error of the road', async t => {
  const cut = await impostor(t, (request, response) => {
    request.resume()
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"correlationId"')
    setImmediate(() => response.destroy())
  })
  t.match(await refusalOf(cut?.target('x')), { status: null, passing: true })
})
