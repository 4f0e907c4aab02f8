/** What runs here: hubrec, the SDK it drives, Node and the system. */
import { createRequire } from 'node:module'
import { arch, release, type } from 'node:os'
import { hubrecVersion, readPackage } from './own-version.js'

export type Versions = Readonly<{
  hubrec: string
  /** The packages below us, by what they do; `unknown` for one that is not there. */
  sdk: Readonly<{ device: string; mqtt: string; mqttClient: string }>
  node: string
  /** As in `Linux 6.6.31 arm64`. */
  os: string
}>

/** Read once; a running process stays what it was started as. */
export function versions(): Versions {
  known ??= {
    hubrec: hubrecVersion(),
    sdk: {
      device: versionOf('azure-iot-device'),
      mqtt: versionOf('azure-iot-device-mqtt'),
      mqttClient: versionOf('mqtt'),
    },
    node: process.versions.node,
    os: `${type()} ${release()} ${arch()}`,
  }
  return known
}

/** As one text, in which another version is another text. */
export const describeVersions = ({ hubrec, sdk, node, os }: Versions): string =>
  `hubrec ${hubrec}, SDK ${sdk.device} (mqtt ${sdk.mqtt}), Node ${node}, ${os}`

let known: Versions | undefined

function versionOf(name: string): string {
  try {
    return readPackage(createRequire(import.meta.url).resolve(`${name}/package.json`))?.version ?? 'unknown'
  } catch (error) {
    if (error instanceof Error && 'code' in error) return 'unknown'
    throw error
  }
}
