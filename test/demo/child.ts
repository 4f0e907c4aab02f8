/** A process of the demo, with the lines that it prints. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** What it has printed as JSON since the last `forget`. */
  lines(): readonly Readonly<Record<string, unknown>>[]
  forget(): void
  /** The last of what it complained of. */
  errors(): string
  stop(): Promise<void>
}

const keptMax = 1_000

/** @param script relative to this file, compiled */
export function startChild(script: string, args: readonly string[], env: Readonly<Record<string, string>>): Child {
  const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
  const preload = new URL('../support/dns-preload.js', import.meta.url).href
  const child = spawn(process.execPath, ['--import', preload, path(script), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let lines: Record<string, unknown>[] = []
  let errors = ''
  createInterface({ input: child.stdout }).on('line', line => {
    if (line.startsWith('{')) lines = [...lines.slice(-keptMax), JSON.parse(line)]
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
  })
  return {
    lines: () => lines,
    forget: () => {
      lines = []
    },
    errors: () => errors,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
