/** The version of this package, read from its own package.json. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageName = 'iothub-flight-recorder'

export const hubrecVersion = (): string => versionAbove(dirname(fileURLToPath(import.meta.url)))

/** Upwards, because compiled files lie a folder deeper than their sources. */
function versionAbove(folder: string): string {
  const found = readPackage(join(folder, 'package.json'))
  if (found?.name === packageName) return found.version
  const parent = dirname(folder)
  return parent === folder ? 'unknown' : versionAbove(parent)
}

/** @returns `null` where there is none */
export function readPackage(path: string): { name: string; version: string } | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}
