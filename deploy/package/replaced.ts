/** What is not bundled as it is: a package by package list, each with the reason. */
import type { Plugin } from 'esbuild'

type Replacement = Readonly<{
  module: string
  /** Only where a package with this name asks for it. */
  for?: string
  /** In its place, as CommonJS. */
  by: string
}>

const replacements: readonly Replacement[] = [
  // A client of its own, years old, with 40 packages below it; hubrec uploads by itself and never calls it.
  {
    module: '@azure/storage-blob',
    for: 'azure-iot-device',
    by: "throw new Error('the blob client of the SDK is not part of this package')",
  },
  // Of an age that has known weaknesses, in functions that nobody calls: of it the SDK uses `v4` alone.
  { module: 'uuid', by: "exports.v4 = require('node:crypto').randomUUID" },
  // For engines before 2015, with 30 packages below it.
  {
    module: 'typedarray.prototype.slice',
    by: 'module.exports = (array, ...range) => array.slice(...range)',
  },
]

export const replaced: Plugin = {
  name: 'replaced',
  setup(at) {
    at.onResolve({ filter: /^[@a-z]/ }, ({ path, importer }) => {
      const found = replacements.find(({ module, for: by }) => module === path && (!by || isWithin(importer, by)))
      return found ? { path: found.module, namespace: 'replaced' } : undefined
    })
    at.onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({
      contents: replacements.find(({ module }) => module === path)?.by ?? '',
      loader: 'js',
    }))
  },
}

const isWithin = (file: string, name: string): boolean => file.replaceAll('\\', '/').includes(`/node_modules/${name}/`)
