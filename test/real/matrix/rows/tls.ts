/** What the server shows, and what stands between. */
import type { CertificateKind } from '../../../hub/certificates.js'
import { proxyUrl } from '../network.js'
import { type Fault, type Row, rowsOf } from '../row.js'

const shows = (certificate: Exclude<CertificateKind, 'good'>, truth: readonly string[]): Fault => ({
  name: `certificate: ${certificate}`,
  kind: 'lasts',
  truth,
  begin: async ({ door }) => {
    await door.set({ kind: 'certificate', certificate })
    door.cut('fin')
  },
  heal: ({ door }) => door.heal(),
})

const rootMissing: Fault = {
  name: 'the root is not in the trust store',
  kind: 'stays',
  truth: ['tls-root-missing'],
  connection: { caFile: null },
  begin: () => undefined,
}

const at = (name: string, kind: 'finAtAccept' | 'rstAtAccept' | 'silent', truth: readonly string[]): Fault => ({
  name,
  kind: 'lasts',
  truth,
  begin: async ({ door }) => {
    await door.set({ kind })
    door.cut('fin')
  },
  heal: ({ door }) => door.heal(),
})

const closed = at('closed before TLS', 'finAtAccept', ['tls-closed'])
const reset = at('reset before TLS', 'rstAtAccept', ['peer-reset'])
const silent = at('accepted and never answered', 'silent', ['tls-timeout'])

const inspected: Fault = {
  name: 'TLS inspected by the proxy',
  kind: 'lasts',
  truth: ['tls-interception'],
  hubrecOnly: true,
  connection: { proxy: proxyUrl },
  prepare: device => device.startProxy(),
  begin: async device => {
    device.proxy().set({ kind: 'intercept' })
    device.door.cut('fin')
  },
  heal: device => device.proxy().heal(),
}

export const tlsRows: readonly Row[] = [
  ...rowsOf(shows('expired', ['server-certificate-invalid']), { mqtt: 'first', 'amqp-ws': 'later' }),
  ...rowsOf(shows('selfSigned', ['server-certificate-invalid', 'tls-interception']), { amqp: 'first' }),
  ...rowsOf(shows('wrongName', ['tls-interception', 'server-certificate-invalid']), { 'mqtt-ws': 'first' }),
  ...rowsOf(shows('unknownCa', ['tls-interception']), { mqtt: 'later', amqp: 'first' }),
  ...rowsOf(rootMissing, { mqtt: 'first', 'mqtt-ws': 'first' }),
  ...rowsOf(closed, { mqtt: 'both', amqp: 'first' }),
  ...rowsOf(reset, { mqtt: 'first', 'amqp-ws': 'later' }),
  ...rowsOf(silent, { 'mqtt-ws': 'first', amqp: 'later' }),
  ...rowsOf(inspected, { 'mqtt-ws': 'both', 'amqp-ws': 'first' }),
]
