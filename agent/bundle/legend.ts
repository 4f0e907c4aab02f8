/** What the fields and units of a bundle mean, in the bundle itself: it is read by people and programs that know no more. */
import type { Legend } from './manifest.js'

/** @param causes title by id, of the version that made the bundle */
export const legendOf = (causes: Readonly<Record<string, string>>): Legend => ({ entries, fields, units, causes })

const entries = {
  'report.html': 'the same for people: open it in a browser, it needs no network',
  'report.json':
    'what report.html shows, for scripts: outages, what happened in them, readings over time, causes by count',
  'episodes.json': 'one array of outages, each with its verdict; a planned renewal is one too, marked `planned`',
  'records.ndjson': 'every record of the window, one JSON object on each line, oldest first',
  'samples.csv': 'one row for each periodic reading; an empty cell means that the host does not have it',
  'doctor.json': 'what stood between this device and its hub when the bundle was made: each question with its answer',
  'state.json': 'what the running daemon said of itself: the connection, the outage that goes on, the ring, the outbox',
  'sockets.txt': "the host's TCP and UDP sockets, one on each line: state, own address, the other's",
  'routes.txt': 'where packets leave this host, and whom it knows next door',
  'system.json': 'what the host is; `missing` says why a part is not there',
  'collectors/': 'what the configuration has named: commands/ what programs print, journal/ what units have said',
  'config.json': 'the configuration; secrets lie elsewhere and are not in it',
}

const fields = {
  seq: 'number of the record, from 1, +1 each, also across restarts; a gap has none when a reader inferred it',
  at: 'wall time, RFC 3339, as the device believed it to be',
  bootId: 'changes at every start of the host; `monoMs` can be compared only within one',
  monoMs: 'monotonic time, which nobody sets; it does not count suspended time',
  level: '10 trace, 20 debug, 30 info, 40 warning, 50 error, 60 fatal',
  type: 'what kind of record it is, which says what `data` holds',
  conn: 'name of the connection; null for what concerns the whole host',
  inc: 'number of the SDK client that was at work',
  'gap.reason': 'why records are missing: overflow, queue, damage, diskFull, readOnly, ioError, library',
  'episode.detectedAfterMs': 'from the fault to the moment it was noticed; null when the time of the fault is unknown',
  'episode.waitedMs': 'how much of the outage was waiting between attempts',
  'episode.sdkSaid': 'what the SDK told its application, kept beside the verdict and never believed over the wire',
  'verdict.confidence': 'certain: the wire says so; then likely, possible, unknown',
  'verdict.hubCodes': "codes that the hub's own log may show for it",
}

const units = {
  Ms: 'milliseconds',
  Bytes: 'bytes',
  Dbm: 'decibel milliwatts',
  Avg10: 'percent of the last 10 seconds',
  celsius: 'degrees Celsius',
}
