/** better-sqlite3, a hundred records to a transaction and each synced: a power cut takes no more of it than of ours. */
import type { Contender } from '../contender.js'
import { loadSqlite } from '../peers.js'
import { openSqlite } from './database.js'

export const sqliteFull: Contender = {
  name: 'sqlite-full',
  title: 'better-sqlite3, 100, synced',
  measures: ['storm', 'trickle'],
  load: loadSqlite,
  open: place => openSqlite(place, 100, 'FULL'),
}
