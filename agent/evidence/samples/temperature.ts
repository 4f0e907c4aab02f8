/** Temperatures, as the kernel's thermal zones know them. */
import { join } from 'node:path'
import { readNames, readText, toInteger } from './files.js'
import type { Reading } from './reading.js'

const zonesMax = 16

export const temperature: Reading = {
  name: 'temperature',
  async read({ sysRoot }) {
    const folder = join(sysRoot, 'class/thermal')
    const names = (await readNames(folder)).filter(name => /^thermal_zone\d+$/.test(name)).slice(0, zonesMax)
    const zones = await Promise.all(
      names.map(async name => {
        const [type, milli] = await Promise.all(['type', 'temp'].map(file => readText(join(folder, name, file))))
        return { zone: name, type: type?.trim().slice(0, 32) ?? null, celsius: parseCelsius(milli) }
      }),
    )
    const told = zones.filter(({ celsius }) => celsius !== null)
    return told.length === 0 ? null : { zones: told }
  },
}

/** Thousandths of a degree; a sensor that says less than absolute zero or more than 1,000 degrees says nothing. */
export function parseCelsius(text: string | null | undefined): number | null {
  const milli = toInteger(text)
  return milli === null || milli < -273_150 || milli > 1_000_000 ? null : milli / 1e3
}
