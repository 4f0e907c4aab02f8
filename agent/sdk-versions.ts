/** Which versions of the SDK are the newest, as far as this release of hubrec knows. Moved with each release. */
import type { Versions } from './versions.js'

/** When the registry was asked. */
export const latestAsOf = '2026-11-26'

/** `mqttClient` is the newest of the line that the SDK takes. */
export const latest: Versions['sdk'] = { device: '1.18.4', mqtt: '1.16.4', mqttClient: '4.3.8' }

const packages: Readonly<Record<keyof Versions['sdk'], string>> = {
  device: 'azure-iot-device',
  mqtt: 'azure-iot-device-mqtt',
  mqttClient: 'mqtt',
}

/** Released together, so that they are behind together. */
const together = ['device', 'mqtt'] as const

/**
 * @returns a sentence for each package that is behind, and one where parts that belong together are of different ages; none for a
 *   version that cannot be read
 */
export function sdkFindings(sdk: Versions['sdk']): readonly string[] {
  const behind = (Object.keys(latest) as (keyof Versions['sdk'])[]).filter(name => isOlder(sdk[name], latest[name]))
  const isMixed = together.some(name => behind.includes(name)) && !together.every(name => behind.includes(name))
  return [
    ...behind.map(
      name => `${packages[name]} ${sdk[name]} is older than ${latest[name]}, the newest as of ${latestAsOf}`,
    ),
    ...(isMixed
      ? [`${together.map(name => `${packages[name]} ${sdk[name]}`).join(' and ')} are of different ages: update both`]
      : []),
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
