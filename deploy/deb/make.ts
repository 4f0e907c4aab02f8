/** The Debian packages: `hubrec` for every processor, and `hubrec-node`, a Node of its own for where the distribution's is too old. */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { releasedAtMs } from '../../agent/release.js'
import { makePackage } from '../package/make.js'
import { allCommands, bashCompletion, manPage } from './command-texts.js'

/** dpkg's own word for it; `none` is quick, and for tests. */
export type Compression = 'xz' | 'none'

export type DebOptions = Readonly<{
  /** Of the repository, built. */
  root: string
  /** Where the packages are put. */
  outDir: string
  compression?: Compression
}>

type Tree = Readonly<{ dir: string; write(path: string, content: string | Buffer, mode?: number): void }>

/** @param version another one than the repository's. @returns the path of the package */
export async function makeHubrecDeb({ root, outDir, ...more }: DebOptions, version?: string): Promise<string> {
  const { version: own, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const all = await allCommands()
  const date = new Date(releasedAtMs).toISOString().slice(0, 10)
  return build('hubrec', version ?? own, 'all', { outDir, ...more }, async tree => {
    const lib = join(tree.dir, 'usr/lib/hubrec')
    await makePackage(root, lib)
    const beside = (path: string): string => readFileSync(join(lib, path), 'utf8')
    const doc = 'usr/share/doc/hubrec'
    tree.write(`${doc}/copyright`, `${beside('LICENSE')}\n${'='.repeat(72)}\n\n${beside('THIRD-PARTY-NOTICES.txt')}`)
    tree.write(`${doc}/NEWS.gz`, zipped(beside('CHANGELOG.md')))
    tree.write(`${doc}/sbom.cdx.json.gz`, zipped(beside('sbom.cdx.json')))
    tree.write(`${doc}/config.example.json`, beside('deploy/config.example.json'))
    // What Debian has other places for.
    for (const name of [
      'install.sh',
      'LICENSE',
      'CHANGELOG.md',
      'docs',
      'systemd',
      'deploy',
      'THIRD-PARTY-NOTICES.txt',
      'sbom.cdx.json',
    ])
      rmSync(join(lib, name), { recursive: true })
    mkdirSync(join(tree.dir, 'usr/bin'))
    symlinkSync('../lib/hubrec/hubrec', join(tree.dir, 'usr/bin/hubrec'))
    const read = (path: string): string => readFileSync(join(root, path), 'utf8')
    tree.write('usr/lib/systemd/system/hubrec.service', read('systemd/hubrec.service'))
    tree.write('usr/lib/sysusers.d/hubrec.conf', read('systemd/hubrec.sysusers'))
    tree.write('usr/share/man/man1/hubrec.1.gz', zipped(manPage(all, version ?? own, date)))
    tree.write('usr/share/bash-completion/completions/hubrec', bashCompletion(all))
    tree.write('etc/default/hubrec', read('deploy/deb/hubrec.default'))
    tree.write('DEBIAN/conffiles', '/etc/default/hubrec\n')
    tree.write('DEBIAN/triggers', 'interest-noawait /usr/bin/node\ninterest-noawait /usr/lib/hubrec-node/bin/node\n')
    for (const name of ['postinst', 'prerm', 'postrm'])
      tree.write(`DEBIAN/${name}`, read(`deploy/deb/scripts/${name}`), 0o755)
    return {
      Depends: 'nodejs (>= 20.15) | hubrec-node',
      Recommends: 'iproute2',
      Suggests: 'iw',
      Section: 'net',
      Description: description,
    }
  })
}

export type NodeOptions = Readonly<{
  /** The program, for the processor that `architecture` names. */
  program: string
  version: string
  /** dpkg's name: amd64, arm64, armhf. */
  architecture: string
  /** The text that goes with it. */
  license: string
}>

export function makeNodeDeb(options: Omit<DebOptions, 'root'>, node: NodeOptions): Promise<string> {
  return build('hubrec-node', node.version, node.architecture, options, async tree => {
    const program = join(tree.dir, 'usr/lib/hubrec-node/bin/node')
    mkdirSync(dirname(program), { recursive: true })
    cpSync(node.program, program, { dereference: true })
    chmodSync(program, 0o755)
    tree.write('usr/share/doc/hubrec-node/copyright', node.license)
    return {
      Depends: 'libc6 (>= 2.28), libstdc++6',
      Section: 'javascript',
      Description: 'Node.js for hubrec alone, where the distribution has an older one',
    }
  })
}

async function build(
  name: string,
  version: string,
  architecture: string,
  { outDir, compression = 'xz' }: Omit<DebOptions, 'root'>,
  fill: (tree: Tree) => Promise<Readonly<Record<string, string>>>,
): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'hubrec-deb-'))
  chmodSync(dir, 0o755)
  try {
    const tree: Tree = {
      dir,
      write(path, content, mode = 0o644) {
        mkdirSync(dirname(join(dir, path)), { recursive: true })
        writeFileSync(join(dir, path), content, { mode })
      },
    }
    const fields = await fill(tree)
    const { Description = '', ...rest } = fields
    const control = {
      Package: name,
      Version: version,
      Architecture: architecture,
      Maintainer: 'hubrec maintainers <maintainers@users.noreply.github.com>',
      Priority: 'optional',
      'Installed-Size': execFileSync('du', ['-sk', '--apparent-size', dir], { encoding: 'utf8' }).split('\t')[0] ?? '0',
      ...rest,
      Description,
    }
    tree.write(
      'DEBIAN/control',
      `${Object.entries(control)
        .map(([key, value]) => `${key}: ${value}\n`)
        .join('')}`,
    )
    mkdirSync(outDir, { recursive: true })
    const file = join(outDir, `${name}_${version}_${architecture}.deb`)
    execFileSync('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', dir, file], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(Math.floor(releasedAtMs / 1e3)) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return file
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Without its own time, so that the same sources make the same package. */
const zipped = (text: string): Buffer => gzipSync(text, { level: 9 })
