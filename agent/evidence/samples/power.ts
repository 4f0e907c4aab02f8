/** A Raspberry Pi's supply: a weak one makes radios and SD cards fail in ways that look like anything else. */
import { join } from 'node:path'
import { readNames, readText } from './files.js'
import type { Reading } from './reading.js'

export type Throttled = Readonly<{
  underVoltage: boolean
  frequencyCapped: boolean
  throttled: boolean
  temperatureLimited: boolean
  /** Since boot. */
  underVoltageSeen: boolean
  throttledSeen: boolean
}>

export const power: Reading = {
  name: 'power',
  async read({ sysRoot }) {
    const firmware = await fromFirmware(sysRoot)
    if (firmware !== null) return firmware
    const underVoltage = await fromSensor(sysRoot)
    return underVoltage === null ? null : { underVoltage }
  },
}

/** `soc` on older models; later ones put the address behind it. */
async function fromFirmware(sysRoot: string): Promise<Throttled | null> {
  const platform = join(sysRoot, 'devices/platform')
  for (const soc of (await readNames(platform)).filter(name => /^soc(@[0-9a-f]+)?$/.test(name))) {
    const text = await readText(join(platform, soc, `${soc}:firmware/get_throttled`))
    const found = parseThrottled(text ?? '')
    if (found !== null) return found
  }
  return null
}

/** The driver `raspberrypi-hwmon`, where the firmware's own file is not there. */
async function fromSensor(sysRoot: string): Promise<boolean | null> {
  const folder = join(sysRoot, 'class/hwmon')
  for (const name of await readNames(folder)) {
    if ((await readText(join(folder, name, 'name')))?.trim() !== 'rpi_volt') continue
    const alarm = (await readText(join(folder, name, 'in0_lcrit_alarm')))?.trim()
    if (alarm === '0' || alarm === '1') return alarm === '1'
  }
  return null
}

/** The firmware's bits in hexadecimal: 0 to 3 for now, 16 to 19 for since boot. */
export function parseThrottled(text: string): Throttled | null {
  const digits = text.trim().replace(/^0x/, '')
  if (!/^[0-9a-f]{1,8}$/i.test(digits)) return null
  const bits = Number.parseInt(digits, 16)
  const bit = (at: number) => ((bits >>> at) & 1) === 1
  return {
    underVoltage: bit(0),
    frequencyCapped: bit(1),
    throttled: bit(2),
    temperatureLimited: bit(3),
    underVoltageSeen: bit(16),
    throttledSeen: bit(18),
  }
}
