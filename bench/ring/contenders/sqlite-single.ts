/** better-sqlite3, each record a transaction of its own: none that was taken is lost by kill -9, as with ours. */
import type { Contender } from '../contender.js'
import { loadSqlite } from '../peers.js'
import { openSqlite } from './database.js'

export const sqliteSingle: Contender = {
  name: 'sqlite-single',
  title: 'better-sqlite3, 1',
  measures: ['throughput', 'latency'],
  load: loadSqlite,
  open: place => openSqlite(place, 1),
}
