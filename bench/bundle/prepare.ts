/** A full ring, the same records as text files, and in a journal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { readRecords } from '../../agent/evidence/read.js'
import { recordClasses } from '../../agent/evidence/record.js'
import { openRing } from '../../agent/ring/open.js'
import { recordStream } from '../ring/stream.js'

export type Prepared = Readonly<{
  stateDir: string
  textDir: string
  /** `null` where no journal could be made, for the reason told. */
  journalDir: string | null
  whyNoJournal: string | null
  records: number
  textBytes: number
}>

/** Of the text files: as large as a segment's text. */
const fileBytesMax = 1 << 20

const batch = 2_000

/** @param records appended; as many stay as the ring's budget holds */
export async function prepare(
  dir: string,
  { records, budgetBytes, seed }: Readonly<{ records: number; budgetBytes: number; seed: number }>,
): Promise<Prepared> {
  const ringDir = join(dir, 'state/ring')
  await mkdir(ringDir, { recursive: true })
  const stream = recordStream(seed)
  const stamp = () => ({ at: new Date(stream.nowMs()).toISOString(), bootId: 'boot', monoMs: 0 })
  const { ring } = await openRing({ dir: ringDir, budgetBytes, stamp, classes: recordClasses })
  for (let done = 0; done < records; done += batch) {
    await Promise.all(stream.take(batch).map(entry => ring.append(JSON.stringify(entry), 'kernel')))
  }
  await ring.close()

  const textDir = join(dir, 'text')
  await mkdir(textDir)
  let kept = 0
  let textBytes = 0
  let file = createWriteStream(join(textDir, '0.ndjson'))
  let fileBytes = 0
  for await (const record of readRecords(ringDir)) {
    const line = `${JSON.stringify(record)}\n`
    kept += 1
    textBytes += line.length
    fileBytes += line.length
    if (!file.write(line)) await once(file, 'drain')
    if (fileBytes < fileBytesMax) continue
    file.end()
    await finished(file)
    file = createWriteStream(join(textDir, `${kept}.ndjson`))
    fileBytes = 0
  }
  file.end()
  await finished(file)

  const journal = await journalOf(ringDir, dir)
  return { stateDir: join(dir, 'state'), textDir, ...journal, records: kept, textBytes }
}

const daemon = ['/lib/systemd/systemd-journald', '/usr/lib/systemd/systemd-journald'].find(existsSync)

/** A journald of our own, in a mount namespace of its own, fed as a service's standard output; its files are copied out. */
const script = `set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\nRateLimitIntervalSec=0\\nRuntimeMaxUse=4G\\nRuntimeKeepFree=1M\\nReadKMsg=no\\nAudit=no\\n' \
  > /run/systemd/journald.conf.d/bench.conf
"$1" 2>/dev/null &
journald=$!
while [ ! -S /run/systemd/journal/stdout ]; do sleep 0.1; done
"$2" -e '
  const socket = require("node:net").createConnection({ path: "/run/systemd/journal/stdout", allowHalfOpen: true })
  socket.write("hubrec-bench\\n\\n6\\n0\\n0\\n0\\n0\\n")
  process.stdin.pipe(socket).on("finish", () => setTimeout(() => process.exit(), 500))
'
journalctl --sync
mkdir "$3"
cp -r /run/log/journal/. "$3"
kill $journald
wait $journald || true
`

async function journalOf(ringDir: string, dir: string): Promise<Pick<Prepared, 'journalDir' | 'whyNoJournal'>> {
  if (!daemon) return { journalDir: null, whyNoJournal: 'systemd-journald is not installed' }
  if (process.getuid?.() !== 0) return { journalDir: null, whyNoJournal: 'a journald of our own needs root' }
  const journalDir = join(dir, 'journal')
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', daemon, process.execPath, journalDir], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve))
  const lines = async function* () {
    for await (const record of readRecords(ringDir)) yield `${JSON.stringify(record)}\n`
  }
  await pipeline(Readable.from(lines()), child.stdin).catch(() => 'it has ended, and says so by its code')
  const code = await exited
  return code === 0 ? { journalDir, whyNoJournal: null } : { journalDir: null, whyNoJournal: `it ended with ${code}` }
}
