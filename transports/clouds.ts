/**
 * Azure's clouds, which have nothing in common but the software: a device of one knows no name, root or portal of another.
 *
 * Where it is from: Microsoft's pages "Compare Azure Government and global Azure", "Azure in China developer guide" and "Transport
 * Layer Security (TLS) support in IoT Hub". To add a cloud, add an entry, and its id to the roots in known-roots.ts.
 */

export type CloudId = 'public' | 'usGovernment' | 'china'

export type Cloud = Readonly<{
  id: CloudId
  name: string
  /** By what the names of its hubs end: NAME.hubSuffix. */
  hubSuffix: string
  /** Where any device of it asks the provisioning service. */
  provisioningHost: string
  /** By what the storage accounts end to which files go. */
  blobSuffix: string
  portal: string
}>

export const clouds: readonly Cloud[] = [
  {
    id: 'public',
    name: 'public',
    hubSuffix: 'azure-devices.net',
    provisioningHost: 'global.azure-devices-provisioning.net',
    blobSuffix: 'blob.core.windows.net',
    portal: 'portal.azure.com',
  },
  {
    id: 'usGovernment',
    name: 'US government',
    hubSuffix: 'azure-devices.us',
    provisioningHost: 'global.azure-devices-provisioning.us',
    blobSuffix: 'blob.core.usgovcloudapi.net',
    portal: 'portal.azure.us',
  },
  {
    id: 'china',
    name: 'China',
    hubSuffix: 'azure-devices.cn',
    provisioningHost: 'global.azure-devices-provisioning.cn',
    blobSuffix: 'blob.core.chinacloudapi.cn',
    portal: 'portal.azure.cn',
  },
]

/** @returns the cloud of a hub or of a provisioning service; `null` for a gateway, a private name, an address */
export function cloudOf(host: string): Cloud | null {
  const name = host.toLowerCase().replace(/\.$/, '')
  return (
    clouds.find(({ hubSuffix, provisioningHost }) => name.endsWith(`.${hubSuffix}`) || name === provisioningHost) ??
    null
  )
}

/** @returns one value of each cloud, the public one first: `a (US government: b, China: c)` */
export const ofEachCloud = (value: (cloud: Cloud) => string): string => {
  const [first, ...others] = clouds.map(cloud => ({ name: cloud.name, value: value(cloud) }))
  return `${first?.value} (${others.map(other => `${other.name}: ${other.value}`).join(', ')})`
}
