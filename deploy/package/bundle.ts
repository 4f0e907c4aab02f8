/**
 * The daemon and its commands as a few files without dependencies: what most need in one, what is seldom needed in files that are loaded
 * when it is. They are CommonJS, because only that can be run from a cache of compiled code on Node 20.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { build, type Metafile, transform } from 'esbuild'
import { replaced } from './replaced.js'

const target = 'node20.15'

/** Files that Node starts by itself, in a thread or a process of their own: their names are in the sources. */
const started = {
  'pattern-worker': 'dist/agent/methods/pattern-worker.js',
  'inventory-child': 'dist/agent/evidence/inventory-child.js',
}

/** Loaded by nothing of ours while it runs; `ws` asks for them and does without. */
const external = ['bufferutil', 'utf-8-validate']

export type Bundled = Readonly<{
  /** By path within the package. */
  files: ReadonlyMap<string, string>
  /** All packages of which something is in the files, by `name@version`, with the folder each was read from. */
  packages: ReadonlyMap<string, Readonly<{ name: string; version: string; license: string; dir: string }>>
}>

/** @param root of the repository, built */
export async function bundle(root: string): Promise<Bundled> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { hubrec: 'dist/agent/cli/main.js', ...started },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target,
    external,
    outdir: 'lib',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    // Of a stack trace the names of functions are what is read.
    minifyIdentifiers: false,
    legalComments: 'none',
    write: false,
    metafile: true,
    logLevel: 'error',
    plugins: [replaced],
  })
  const files = new Map<string, string>()
  const names = outputFiles.map(({ path }) => basename(path))
  for (const { path, text } of outputFiles) {
    const name = basename(path)
    const plain = Object.keys(started).find(entry => name.startsWith(`${entry}-`))
    files.set(`lib/${plain ? `${plain}.js` : name}`, await asCommonJs(text, name))
  }
  const mainFile = names.find(name => name.startsWith('hubrec-'))
  if (!mainFile) throw new Error('the bundle has no main file')
  const lazyFiles = names.filter(name => !Object.keys(started).some(entry => name.startsWith(`${entry}-`)))
  for (const name of ['hubrec', 'compile']) {
    const code = await startFile(root, name, { mainFile, lazyFiles })
    files.set(`${name}.js`, code)
  }
  for (const name of ['page.js', 'page.css']) {
    files.set(`lib/page/${name}`, readFileSync(join(root, 'dist/agent/report/page', name), 'utf8'))
  }
  const page: Metafile = JSON.parse(readFileSync(join(root, 'dist/page-meta.json'), 'utf8'))
  return { files, packages: packagesIn(root, metafile.outputs, page.outputs) }
}

async function asCommonJs(text: string, name: string): Promise<string> {
  const needsAddress = text.includes('import.meta.url')
  const { code, warnings } = await transform(text.replace(/^#!.*\n/, ''), {
    format: 'cjs',
    platform: 'node',
    target,
    minifySyntax: true,
    minifyWhitespace: true,
    // Each becomes a `require` at the moment when it is run.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'importMetaUrl' },
    ...(needsAddress ? { banner: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" } : {}),
    legalComments: 'none',
    logLevel: 'silent',
  })
  if (warnings.length > 0) throw new Error(`${name}: ${warnings.map(each => each.text).join('; ')}`)
  return code
}

async function startFile(
  root: string,
  name: string,
  { mainFile, lazyFiles }: Readonly<{ mainFile: string; lazyFiles: readonly string[] }>,
): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`dist/deploy/package/start/${name}.js`],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target,
    minifySyntax: true,
    minifyWhitespace: true,
    define: {
      mainFile: JSON.stringify(mainFile),
      lazyFiles: JSON.stringify(lazyFiles),
      'import.meta.url': 'importMetaUrl',
    },
    banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

type Outputs = Metafile['outputs']

/** Two versions of one package are two entries. */
function packagesIn(root: string, ...built: readonly Outputs[]): Bundled['packages'] {
  const require = createRequire(join(root, 'package.json'))
  const found = new Map<string, { name: string; version: string; license: string; dir: string }>()
  for (const input of built.flatMap(outputs => Object.values(outputs)).flatMap(({ inputs }) => Object.keys(inputs))) {
    const dir = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0]
    if (!dir) continue
    const { name, version, license }: { name: string; version: string; license?: string } = require(
      join(root, dir, 'package.json'),
    )
    found.set(`${name}@${version}`, { name, version, license: license ?? 'see its text', dir: join(root, dir) })
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}
