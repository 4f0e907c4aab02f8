/** Which versions of the SDK are there, and which are the newest as far as this release of hubrec knows. Moved with each release. */
import { dependencyVersion } from './own-version.js'

/** The packages of the SDK by what they do. */
const packages = {
  device: 'azure-iot-device',
  mqtt: 'azure-iot-device-mqtt',
  amqp: 'azure-iot-device-amqp',
  mqttClient: 'mqtt',
} as const

type Part = keyof typeof packages
const parts = Object.keys(packages) as readonly Part[]

/** `unknown` for one that is not there. */
export type SdkVersions = Readonly<Record<Part, string>>

/** When the registry was asked. */
export const latestAsOf = '2026-11-26'

/** `mqttClient` is the newest of the line that the SDK takes. */
export const latest: SdkVersions = { device: '1.18.4', mqtt: '1.16.4', amqp: '1.14.4', mqttClient: '4.3.8' }

/** Released together, so that they are behind together. */
const together: readonly Part[] = ['device', 'mqtt', 'amqp']

/** @param from a file or an address of one: what it would load is what is read. Never throws: an application is not to notice. */
export function readSdkVersions(from: string): SdkVersions {
  const versionOf = (part: Part): string => dependencyVersion(packages[part], from) ?? 'unknown'
  return Object.fromEntries(parts.map(part => [part, versionOf(part)])) as SdkVersions
}

/**
 * @returns a sentence for each package that is behind, and one where parts that belong together are of different ages; none for a
 *   version that cannot be read
 */
export function sdkFindings(sdk: SdkVersions): readonly string[] {
  const behind = parts.filter(part => isOlder(sdk[part], latest[part]))
  const side = together.filter(part => numbersOf(sdk[part]) !== null)
  const isMixed = side.some(part => behind.includes(part)) && !side.every(part => behind.includes(part))
  const named = new Intl.ListFormat('en').format(side.map(part => `${packages[part]} ${sdk[part]}`))
  return [
    ...behind.map(
      part => `${packages[part]} ${sdk[part]} is older than ${latest[part]}, the newest as of ${latestAsOf}`,
    ),
    ...(isMixed ? [`${named} are of different ages: update them together`] : []),
  ]
}

function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [numbersOf(version), numbersOf(than)]
  if (ours === null || theirs === null) return false
  const differs = ours.findIndex((number, at) => number !== theirs[at])
  return differs !== -1 && ours[differs]! < theirs[differs]!
}

function numbersOf(version: string): readonly number[] | null {
  const found = /^(\d+)\.(\d+)\.(\d+)/.exec(version)
  return found?.slice(1).map(Number) ?? null
}
