/** What is in the package, as CycloneDX: what npm knows of the lockfile, cut down to what was really bundled. */
import { execFileSync } from 'node:child_process'
import type { Bundled } from './bundle.js'

type Component = Readonly<{ 'bom-ref': string; name: string; version: string; group?: string; purl?: string }>
type Sbom = Readonly<{
  serialNumber: string
  components: readonly Component[]
  dependencies: readonly Readonly<{ ref: string; dependsOn?: readonly string[] }>[]
  metadata: Readonly<{ component: Component; timestamp: string }>
}>

/** @throws Error when a bundled package is not in the lockfile */
export function sbom(root: string, packages: Bundled['packages']): string {
  const made = execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  const { components, dependencies, serialNumber: _, ...rest }: Sbom = JSON.parse(made)
  const kept = components.filter(each => packages.has(`${fullName(each)}@${each.version}`))
  const named = new Set(kept.map(each => `${fullName(each)}@${each.version}`))
  const missing = [...packages.keys()].filter(name => !named.has(name))
  if (missing.length > 0) throw new Error(`bundled, and not in the lockfile's bill of materials: ${missing.join(', ')}`)
  const refs = new Set([...kept.map(each => each['bom-ref']), rest.metadata.component['bom-ref']])
  const edges = dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(each => refs.has(each)) }))
  const { timestamp: __, ...metadata } = rest.metadata
  // Without its own time and number, so that the same sources make the same package.
  return `${JSON.stringify({ ...rest, metadata, components: kept, dependencies: edges }, null, 2)}\n`
}

const fullName = ({ group, name }: Component): string => (group && !name.startsWith('@') ? `${group}/${name}` : name)
