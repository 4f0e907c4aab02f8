/**
 * The peers are in bench/node_modules, and the project's own npm ci does not bring them. So they are found when they are used,
 * and the few calls of theirs that are used have their types here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const benchUrl = new URL('../../../bench/', import.meta.url)
const require = createRequire(new URL('package.json', benchUrl))

export const benchDir = fileURLToPath(benchUrl)

export type PeerVersion = Readonly<{ wanted: string; installed: string | null }>

/** Of each peer: the version that bench/package.json asks for, and the one that is there, `null` where there is none. */
export function installedPeers(): Record<string, PeerVersion> {
  const { dependencies } = readPackage('package.json')
  return Object.fromEntries(
    Object.entries(dependencies ?? {}).map(([name, wanted]) => {
      const path = `node_modules/${name}/package.json`
      const installed = existsSync(new URL(path, benchUrl)) ? (readPackage(path).version ?? null) : null
      return [name, { wanted, installed }]
    }),
  )
}

type Package = Readonly<{ version?: string; dependencies?: Readonly<Record<string, string>> }>

const readPackage = (path: string): Package => JSON.parse(readFileSync(new URL(path, benchUrl), 'utf8'))

export interface SonicBoom {
  on(event: 'write', listener: (bytes: number) => void): unknown
  once(event: 'ready' | 'drain' | 'close', listener: () => void): unknown
  once(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  flush(): void
  end(): void
  /** Bytes it has taken and not written. It is not documented, and the only way to know that everything is written. */
  readonly _len: number
}

export type SonicBoomOptions = Readonly<{ sync: boolean; minLength: number; mkdir?: boolean }>

export type PinoLogger = Readonly<{ info(fields: object): void }>

type Pino = {
  (options: Readonly<{ base: null; timestamp: false }>, destination: SonicBoom): PinoLogger
  destination(options: SonicBoomOptions & Readonly<{ dest: string }>): SonicBoom
}

export const loadPino = (): Pino => require('pino')

type PinoRoll = (
  options: SonicBoomOptions & Readonly<{ file: string; size: string; limit: Readonly<{ count: number }> }>,
) => Promise<SonicBoom>

export const loadPinoRoll = (): PinoRoll => require('pino-roll')

export interface Statement {
  run(...values: readonly (string | number)[]): unknown
  get(...values: readonly (string | number)[]): unknown
  all(...values: readonly (string | number)[]): unknown[]
  iterate(...values: readonly (string | number)[]): IterableIterator<unknown>
  /** Rows as their first column alone. */
  pluck(): Statement
}

export interface Database {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): void
}

export const loadSqlite = (): (new (file: string) => Database) => require('better-sqlite3')
