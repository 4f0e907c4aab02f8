/** Every row of the matrix, family by family. */
import type { Row } from './row.js'
import { clockRows } from './rows/clock.js'
import { hubRows } from './rows/hub.js'
import { identityRows } from './rows/identity.js'
import { linkRows } from './rows/link.js'
import { nameRows } from './rows/names.js'
import { packetRows } from './rows/packets.js'
import { processRows } from './rows/process.js'
import { proxyRows } from './rows/proxy.js'
import { tlsRows } from './rows/tls.js'

export const rows: readonly Row[] = [
  ...linkRows,
  ...packetRows,
  ...nameRows,
  ...tlsRows,
  ...proxyRows,
  ...hubRows,
  ...identityRows,
  ...clockRows,
  ...processRows,
]

/** So many of them, spread over all families. */
export const sliceOf = (count: number): readonly Row[] =>
  rows.filter(
    (_, index) => Math.floor((index * count) / rows.length) !== Math.floor(((index - 1) * count) / rows.length),
  )
