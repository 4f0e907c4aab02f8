/** `npm run package:deb`: the Debian packages, in `out/`. */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { makeHubrecDeb, makeNodeDeb } from './make.js'

const help = `npm run package:deb -- [options]

  --out DIR             default out
  --node FILE           also make hubrec-node, of this program
  --node-version V      its version (default: asked of the program, which has to run here)
  --node-license FILE   the LICENSE that came with it; needed with --node
  --architecture A      of the program: amd64, arm64, armhf (default: this machine's)`

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'out' },
    node: { type: 'string' },
    'node-version': { type: 'string' },
    'node-license': { type: 'string' },
    architecture: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  if (values.node && !values['node-license']) {
    process.stderr.write('--node needs --node-license: Node may be passed on only with its licence\n')
    process.exitCode = 2
    return
  }
  const made = [await makeHubrecDeb({ root: process.cwd(), outDir: values.out })]
  if (values.node && values['node-license']) {
    const ask = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' }).trim()
    made.push(
      await makeNodeDeb(
        { outDir: values.out },
        {
          program: values.node,
          version: values['node-version'] ?? ask(values.node, '--version').replace(/^v/, ''),
          architecture: values.architecture ?? ask('dpkg', '--print-architecture'),
          license: readFileSync(values['node-license'], 'utf8'),
        },
      ),
    )
  }
  for (const file of made) process.stdout.write(`${file}: ${(statSync(file).size / 1e6).toFixed(2)} MB\n`)
}

await main()
