/** SQLite as a log: one table, found by number and by time, in WAL with the syncing that its documentation advises for it. */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Archive, Place, Sink } from '../contender.js'
import { type Database, loadSqlite } from '../peers.js'

/** `NORMAL`, which is its default in WAL too, syncs only when the WAL goes into the database; `FULL` syncs each transaction. */
type Synchronous = 'NORMAL' | 'FULL'

function openDatabase(dir: string, synchronous: Synchronous = 'NORMAL'): Database {
  const database = new (loadSqlite())(join(dir, 'records.db'))
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${synchronous}`)
  return database
}

/** @param transactionRecords how many records are committed together; 1: each alone */
export async function openSqlite({ dir }: Place, transactionRecords: number, synchronous?: Synchronous): Promise<Sink> {
  const database = openDatabase(dir, synchronous)
  database.exec(
    `CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, json TEXT NOT NULL);
     CREATE INDEX IF NOT EXISTS records_at ON records (at)`,
  )
  database.prepare('SELECT max(seq) FROM records').get()
  const insert = database.prepare('INSERT INTO records (at, json) VALUES (?, ?)')
  const begin = database.prepare('BEGIN')
  const commit = database.prepare('COMMIT')
  let open = 0
  const finish = () => {
    if (open > 0) commit.run()
    open = 0
  }
  return {
    append(entry) {
      if (open === 0 && transactionRecords > 1) begin.run()
      insert.run(Date.parse(entry.at), JSON.stringify(entry))
      if (transactionRecords > 1 && ++open === transactionRecords) finish()
    },
    async handedOver() {
      finish()
    },
    async close() {
      finish()
      database.close()
    },
  }
}

export const sqliteArchive: Archive = {
  async read(dir) {
    const database = openDatabase(dir)
    const byTime = database.prepare('SELECT json FROM records WHERE at BETWEEN ? AND ? ORDER BY at').pluck()
    const newest = database.prepare('SELECT json FROM records ORDER BY seq DESC LIMIT ?').pluck()
    return {
      between: async (sinceMs, untilMs) => byTime.all(sinceMs, untilMs) as string[],
      last: async count => (newest.all(count) as string[]).reverse(),
    }
  },

  async exportTo(dir, file) {
    const database = openDatabase(dir)
    const rows = database.prepare('SELECT json FROM records ORDER BY seq').pluck().iterate() as Iterable<string>
    await pipeline(Readable.from(chunks(rows)), createGzip(), createWriteStream(file))
    database.close()
  },
}

/** Many rows to a chunk, because one at a time would measure the stream and not the database. */
function* chunks(rows: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const row of rows) {
    chunk += `${row}\n`
    if (chunk.length < 65_536) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}
