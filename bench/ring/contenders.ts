/** Everyone who competes, in the order of a round: ours, what a user would pick instead, and the limits of the machine. */
import type { Contender } from './contender.js'
import { idle } from './contenders/idle.js'
import { journald } from './contenders/journald.js'
import { pinoAsync } from './contenders/pino-async.js'
import { pinoRoll } from './contenders/pino-roll.js'
import { pinoSync } from './contenders/pino-sync.js'
import { ring } from './contenders/ring.js'
import { sqlite } from './contenders/sqlite.js'
import { sqliteFull } from './contenders/sqlite-full.js'
import { sqliteSingle } from './contenders/sqlite-single.js'
import { writeSync } from './contenders/write-sync.js'

export const contenders: readonly Contender[] = [
  ring,
  pinoAsync,
  pinoSync,
  pinoRoll,
  sqlite,
  sqliteSingle,
  sqliteFull,
  journald,
  writeSync,
  idle,
]

export function contenderNamed(name: string): Contender {
  const found = contenders.find(contender => contender.name === name)
  if (!found) throw new Error(`${name} is no contender; there are ${contenders.map(({ name }) => name).join(', ')}`)
  return found
}
