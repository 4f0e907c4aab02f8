/**
 * Loads the compiled files in `lib/`, each with what V8 made of it the last time, if that is there. Node does so by itself from 22 on
 * only. The cache belongs to whoever installed the package: what is in it is run, so nobody else may write there.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const dir = dirname(fileURLToPath(import.meta.url))
const lib = join(dir, 'lib')
const cache = join(dir, 'cache')

type Loaded = Readonly<{ module: { exports: unknown }; script: Script }>
const loaded = new Map<string, Loaded>()

/** @param name of a file in `lib/`; with a hash of its content in it, since V8 knows a source by its length only */
export function load(name: string): unknown {
  const known = loaded.get(name)
  if (known) return known.module.exports
  const path = join(lib, name)
  const text = `(function(exports,require,module,__filename,__dirname){${readFileSync(path, 'utf8')}\n})`
  const cachedData = readCache(name)
  // What V8 does not want, because it is another V8 or has other flags, it leaves alone.
  const script = new Script(text, { filename: path, ...(cachedData ? { cachedData } : {}) })
  const module = { exports: {} as unknown }
  loaded.set(name, { module, script })
  const node = createRequire(path)
  const ours = (id: string): unknown => (id.startsWith('./') ? load(basename(id)) : node(id))
  script.runInThisContext()(module.exports, Object.assign(ours, { resolve: node.resolve }), module, path, lib)
  return module.exports
}

/** With all functions that have run by now. @throws the file system's error */
export function writeCache(): void {
  mkdirSync(cache, { recursive: true })
  for (const [name, { script }] of loaded) {
    const path = cacheOf(name)
    writeFileSync(`${path}.tmp`, script.createCachedData())
    renameSync(`${path}.tmp`, path)
  }
}

const cacheOf = (name: string): string => join(cache, `${name}.${process.arch}.bin`)

function readCache(name: string): Buffer | null {
  try {
    return readFileSync(cacheOf(name))
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}
