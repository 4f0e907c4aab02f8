/** A name server that changes its mind between the question and the upload, over real packets, and what it would lead to. */
import { Resolver } from 'node:dns'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import type { Lookup } from '../../transports/socket-tap.js'
import { createTrust } from '../../transports/trust.js'
import { startNameServer } from '../hub/name-server.js'
import { methodsDevice } from '../support/methods-device.js'

t.test('a name that was outside when it was accepted, and leads inside when it is dialled, is not dialled', async t => {
  const names = await startNameServer()
  const resolver = new Resolver()
  resolver.setServers([names.address])
  const lookup: Lookup = (host, callback) =>
    resolver.resolve4(host, (error, addresses) =>
      callback(
        error,
        (addresses ?? []).map(address => ({ address, family: 4 })),
      ),
    )
  let connections = 0
  const inside = createServer(socket => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(inside, 'listening')
  t.teardown(async () => {
    inside.close()
    await names.close()
  })

  const container = `https://account.example:${(inside.address() as AddressInfo).port}/bundles`
  const allowed = { containers: [container], privateHosts: [] }
  let changeMind: () => void = () => undefined
  const hasChanged = new Promise<void>(resolve => {
    changeMind = resolve
  })
  const { call, failed } = await methodsDevice(t, {
    allowed,
    lookup,
    uploads: {
      allowed,
      storage: { trust: createTrust(null, null), lookup },
      async make(_task, file) {
        await hasChanged
        await writeFile(file, 'some bytes')
        return { bytes: 10, fileName: 'hubrec-gate.zip' }
      },
    },
  })
  names.point('20.60.1.1', 'account.example')
  const accepted = await call('UploadSupportBundle', { sasUrl: `${container}?sig=c2lnbmF0dXJl` })
  t.equal(accepted.status, 200)
  const { correlationId } = accepted.payload as { correlationId: string }
  t.equal(names.asked('account.example'), 1)

  names.point('127.0.0.1', 'account.example')
  const isOver = failed()
  changeMind()
  await isOver
  t.match(await call('GetTaskStatus', { schemaVersion: '1.0', correlationId }), {
    payload: { status: 'Failed', message: 'sasUrl: its host has an address that this device does not upload to' },
  })
  t.equal(names.asked('account.example'), 2, 'it was asked again')
  t.equal(connections, 0)

  const refused = await call('UploadSupportBundle', { sasUrl: `${container}?sig=c2lnbmF0dXJl` })
  t.match(refused, {
    status: 400,
    payload: { message: 'sasUrl: its host has an address that this device does not upload to' },
  })
})
