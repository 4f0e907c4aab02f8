/** What runs here: hubrec, the SDK it drives, Node and the system. */
import { arch, release, type } from 'node:os'
import { hubrecVersion } from './own-version.js'
import { readSdkVersions, type SdkVersions } from './sdk-versions.js'

export type Versions = Readonly<{
  hubrec: string
  /** The packages below us. */
  sdk: SdkVersions
  node: string
  /** As in `Linux 6.6.31 arm64`. */
  os: string
}>

/** Read once; a running process stays what it was started as. */
export function versions(): Versions {
  known ??= {
    hubrec: hubrecVersion(),
    sdk: readSdkVersions(import.meta.url),
    node: process.versions.node,
    os: `${type()} ${release()} ${arch()}`,
  }
  return known
}

/** As one text, in which another version is another text. */
export const describeVersions = ({ hubrec, sdk, node, os }: Versions): string =>
  `hubrec ${hubrec}, SDK ${sdk.device} (mqtt ${sdk.mqtt}), Node ${node}, ${os}`

let known: Versions | undefined
