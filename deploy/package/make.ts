/** Everything that is installed on a device, in one folder. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bundle } from './bundle.js'
import { notices } from './notices.js'
import { sbom } from './sbom.js'

/** What is beside the program: from the repository, to the package. */
const beside = [
  'LICENSE',
  'CHANGELOG.md',
  'deploy/config.example.json',
  'systemd/hubrec.service',
  'systemd/hubrec.sysusers',
] as const

/**
 * @param root of the repository, built
 * @param dir is made anew
 */
export async function makePackage(root: string, dir: string): Promise<void> {
  const { files, packages } = await bundle(root)
  rmSync(dir, { recursive: true, force: true })
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  for (const [path, text] of files) write(path, text)
  cpSync(join(root, 'deploy/package/beside'), dir, { recursive: true })
  for (const name of ['hubrec', 'install.sh']) chmodSync(join(dir, name), 0o755)
  const { name, version, description, license, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const outermost = [...packages.values()].filter(each => each.dir === join(root, 'node_modules', each.name))
  const bundled = Object.fromEntries(outermost.map(each => [each.name, each.version]))
  const about = { name, version, description, license, engines, type: 'commonjs', private: true, bundled }
  write('package.json', `${JSON.stringify(about, null, 2)}\n`)
  write('THIRD-PARTY-NOTICES.txt', notices(packages))
  write('sbom.cdx.json', sbom(root, packages))
  for (const path of beside) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    copyFileSync(join(root, path), join(dir, path))
  }
  cpSync(join(root, 'docs'), join(dir, 'docs'), { recursive: true })
}
