/** Whether the host is fit: room on the disk, power, packages. */
import { access, constants, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { disk as diskReading } from '../../evidence/samples/disk.js'
import { power as powerReading, type Throttled } from '../../evidence/samples/power.js'
import { latestAsOf, readSdkVersions, sdkFindings } from '../../sdk-versions.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

const mebibyte = 1 << 20

export const disk: Check = {
  id: 'disk',
  family: 'host',
  question: 'Is there room for the ring, and may it be written?',
  why: 'A full or read-only disk leaves the records in memory, and a power cut takes them.',
  remedies: [
    'Free some room, or lower `ring.budgetBytes`.',
    'Where the file system is read-only, look at `dmesg` for errors of the medium; SD cards end so.',
  ],
  needs: ['configuration'],
  async ask(facts) {
    const { config } = await facts.config()
    const { stateDir, ring } = config
    const dir = await nearest(stateDir)
    const refused = await access(dir, constants.W_OK).then(
      () => null,
      (error: NodeJS.ErrnoException) => error.code ?? 'unknown',
    )
    const found = (await diskReading.read(readingContext(facts, dir))) as Readonly<{
      freeBytes: number
      freeFiles: number
      totalFiles: number
    }> | null
    const info = { stateDir, budgetBytes: ring.budgetBytes, freeBytes: found?.freeBytes ?? null, refused }
    if (refused === 'EROFS') return failed(`the file system of ${dir} is read-only`, info)
    // Another user runs the daemon, and it may be that only that one may write.
    if (refused !== null && refused !== 'EACCES') return failed(`${dir}: ${refused}`, info)
    if (found === null) return skipped('the system does not say')
    const free = `${Math.floor(found.freeBytes / mebibyte)} MiB are free at ${dir}`
    if (found.totalFiles > 0 && found.freeFiles < 100)
      return failed(`${free}, and room for ${found.freeFiles} files only`, info)
    return found.freeBytes < ring.budgetBytes ? warning(`${free}, less than the ring may take`, info) : ok(free, info)
  },
}

/** Before the first start it is not there. */
async function nearest(dir: string): Promise<string> {
  const isThere = await stat(dir).then(
    () => true,
    () => false,
  )
  return isThere || dir === dirname(dir) ? dir : nearest(dirname(dir))
}

export const power: Check = {
  id: 'power',
  family: 'host',
  question: 'Is the supply of this Raspberry Pi strong enough?',
  why: 'A weak supply makes radios, USB modems and SD cards fail in ways that look like anything else.',
  remedies: [
    'Use the supply that belongs to this model, and a short thick cable.',
    'Give USB modems a supply of their own.',
  ],
  needs: [],
  async ask(facts) {
    const found = (await powerReading.read(readingContext(facts))) as Partial<Throttled> | null
    if (found === null) return skipped('this host does not measure it')
    if (found.underVoltage) return failed('the voltage is too low now', found)
    return found.underVoltageSeen
      ? warning('the voltage has been too low since this host booted', found)
      : ok('it is', found)
  },
}

export const sdk: Check = {
  id: 'sdk-versions',
  family: 'host',
  question: 'Are the packages of the SDK new, and of one age?',
  why: "Old versions have mistakes that look like the network's: reconnections that never end or never begin.",
  remedies: [
    'Update hubrec, which brings them; in an application update azure-iot-device and its transports together.',
  ],
  needs: [],
  async ask() {
    const found = readSdkVersions(import.meta.url)
    const findings = sdkFindings(found)
    const info = { ...found, asOf: latestAsOf }
    return findings.length === 0
      ? ok(`azure-iot-device ${found.device}, as new as of ${latestAsOf}`, info)
      : warning(findings.join('; '), info)
  },
}
