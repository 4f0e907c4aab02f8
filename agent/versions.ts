/** What runs here: hubrec, the SDK it drives, Node and the system. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, release, type } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
    hubrec: ownVersion(dirname(fileURLToPath(import.meta.url))),
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

let known: Versions | undefined

const packageName = 'iothub-flight-recorder'

/** Upwards, because compiled files lie a folder deeper than their sources. */
function ownVersion(folder: string): string {
  const found = readPackage(join(folder, 'package.json'))
  if (found?.name === packageName) return found.version
  const parent = dirname(folder)
  return parent === folder ? 'unknown' : ownVersion(parent)
}

function versionOf(name: string): string {
  try {
    return readPackage(createRequire(import.meta.url).resolve(`${name}/package.json`))?.version ?? 'unknown'
  } catch (error) {
    if (error instanceof Error && 'code' in error) return 'unknown'
    throw error
  }
}

function readPackage(path: string): { name: string; version: string } | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}
