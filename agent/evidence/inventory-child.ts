/**
 * The process that asks systeminformation, whose functions start programs and wait for them. Each answer is cut down to
 * what a diagnosis needs: no serial numbers, hardware addresses, processes or environment.
 */
import systeminformation from 'systeminformation'
import { dependencyVersion, hubrecVersion } from '../own-version.js'
import { type InventoryMessage, type InventoryPart, inventoryParts } from './inventory.js'

const listMax = 64

const ask: Readonly<Record<InventoryPart, () => Promise<object>>> = {
  async versions() {
    const sdk = ['azure-iot-device', 'azure-iot-device-mqtt', 'azure-iot-mqtt-base', 'azure-iot-common', 'mqtt']
    return {
      hubrec: hubrecVersion(),
      node: process.versions.node,
      openssl: process.versions.openssl,
      sdk: Object.fromEntries(sdk.map(name => [name, dependencyVersion(name, import.meta.url)])),
    }
  },
  async os() {
    const { platform, distro, release, codename, kernel, arch, hostname } = await systeminformation.osInfo()
    return { platform, distro, release, codename, kernel, arch, hostname }
  },
  async time() {
    const { timezone, timezoneName, uptime } = systeminformation.time()
    return { timezone, timezoneName, uptimeSeconds: Math.round(uptime) }
  },
  async memory() {
    const { total, available, swaptotal } = await systeminformation.mem()
    return { totalBytes: total, availableBytes: available, swapBytes: swaptotal }
  },
  async cpu() {
    const { manufacturer, brand, cores, physicalCores, speed, governor } = await systeminformation.cpu()
    return { manufacturer, brand, cores, physicalCores, speedGhz: speed, governor }
  },
  async board() {
    const {
      manufacturer,
      model,
      version,
      virtual,
      virtualHost = null,
      raspberry = null,
    } = await systeminformation.system()
    return { manufacturer, model, version, virtual, virtualHost, raspberry }
  },
  async disks() {
    const disks = await systeminformation.blockDevices()
    return disks.slice(0, listMax).map(({ name, type, fsType, mount, size, physical, model, removable, protocol }) => {
      return { name, type, fsType, mount, bytes: size, physical, model, removable, protocol }
    })
  },
  async interfaces() {
    const interfaces = await systeminformation.networkInterfaces()
    return interfaces.slice(0, listMax).map(found => {
      const { iface, ip4, ip4subnet, ip6, ip6subnet, internal, virtual, operstate, type, duplex, mtu, speed, dhcp } =
        found
      const addresses = { ip4, ip4subnet, ip6, ip6subnet }
      return { name: iface, ...addresses, internal, virtual, operstate, type, duplex, mtu, speedMbit: speed, dhcp }
    })
  },
  async fileSystems() {
    const found = await systeminformation.fsSize()
    return found.slice(0, listMax).map(({ fs, type, mount, size, used, available, rw }) => {
      return { device: fs, type, mount, bytes: size, usedBytes: used, availableBytes: available, writable: rw }
    })
  },
}

const send = (message: InventoryMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    process.send?.(message, undefined, {}, error => (error ? reject(error) : resolve()))
  })

// Whoever asked is gone.
process.once('disconnect', () => process.exit())

async function main(): Promise<void> {
  for (const part of inventoryParts) {
    try {
      await send({ part, value: await ask[part]() })
    } catch (error) {
      await send({ part, failed: String(error).slice(0, 200) })
    }
  }
  process.disconnect()
}

void main()
