/** better-sqlite3, a hundred records to a transaction. */
import type { Contender } from '../contender.js'
import { loadSqlite } from '../peers.js'
import { openSqlite, sqliteArchive } from './database.js'

export const sqlite: Contender = {
  name: 'sqlite',
  title: 'better-sqlite3, 100',
  measures: ['throughput', 'latency', 'storm', 'trickle', 'open', 'read', 'export', 'memory'],
  load: loadSqlite,
  open: place => openSqlite(place, 100),
  archive: sqliteArchive,
}
