/** The version of this package and of what it brings along, read from package.json. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageName = 'iothub-flight-recorder'

type Package = Readonly<{
  name: string
  version: string
  /** Versions by name, where dependencies are bundled into our own files and have no package.json any more. */
  bundled?: Readonly<Record<string, string>>
}>

export const hubrecVersion = (): string => packageAbove(import.meta.url)?.version ?? 'unknown'

/**
 * @param from a file or an address of one: what it would load is what is read
 * @returns `null` where the package is not there or does not show its package.json
 */
export function dependencyVersion(name: string, from: string): string | null {
  const bundled = packageAbove(from)?.bundled
  if (bundled) return bundled[name] ?? null
  try {
    return readPackage(createRequire(from).resolve(`${name}/package.json`))?.version ?? null
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/** Ours, if the file belongs to it. Upwards, because compiled files lie a folder deeper than their sources. */
function packageAbove(file: string): Package | null {
  let folder = dirname(file.startsWith('file:') ? fileURLToPath(file) : file)
  for (;;) {
    const found = readPackage(join(folder, 'package.json'))
    if (found?.name === packageName) return found
    const parent = dirname(folder)
    if (parent === folder) return null
    folder = parent
  }
}

/** @returns `null` where there is none, or none that can be read */
export function readPackage(path: string): Package | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
