/** What can be typed while the hub runs. */

import { faultUsages, parseFault } from './fault-words.js'
import type { BlobFault, Hub, Identity } from './hub.js'
import { HubError } from './hub-error.js'
import { type ProxyCommands, proxyFaultHelp, proxyHelp } from './proxy-commands.js'

export const help = `Commands:
  devices                           the devices and their connection strings
  add DEVICE [MODULE...]            register a device and its modules
  fault DEVICE FAULT                set a fault, in force until healed
  heal DEVICE                       remove all its faults
  cut DEVICE fin|rst                end its open connections
  invoke DEVICE[/MODULE] METHOD [JSON]
  desired DEVICE[/MODULE] JSON      patch its desired properties
  twin DEVICE[/MODULE]              show them, and the reported ones
  disable|enable|delete DEVICE
  sas CONTAINER                     a container SAS URL of the blob store
  blob stall|refuse|slow|heal       a fault of the blob store
  uploads                           the file uploads so far
  log [N]                           the newest N events (20)
${proxyHelp}
  help
Faults:
${faultUsages()
  .map(line => `  ${line}`)
  .join('\n')}
Faults of the proxy:
${proxyFaultHelp}`

export type Workbench = Readonly<{
  hub: Hub
  /** What was registered so far; `add` and `delete` change it. */
  devices: Map<string, readonly string[]>
  proxy: ProxyCommands
}>

/**
 * @returns what there is to show: text as it is, anything else as JSON
 * @throws Error whose message is for the person who typed
 */
export async function runCommand({ hub, devices, proxy }: Workbench, line: string): Promise<unknown> {
  const [command = '', ...words] = line.trim().split(/\s+/)
  const [first = '', second = ''] = words
  switch (command) {
    case '':
      return ''
    case 'help':
      return help
    case 'devices':
      return connectionStrings(hub, devices)
    case 'add': {
      const moduleIds = words.slice(1)
      await hub.addDevice(need(first, 'a device'), { moduleIds })
      devices.set(first, moduleIds)
      return connectionStrings(hub, new Map([[first, moduleIds]]))
    }
    case 'fault': {
      const fault = parseFault(words.slice(1))
      await hub.door(first).set(fault)
      return { device: first, fault }
    }
    case 'heal':
      await hub.door(first).heal()
      return { device: first, healed: true }
    case 'cut':
      if (second !== 'fin' && second !== 'rst') throw new Error('expected fin or rst')
      hub.door(first).cut(second)
      return { device: first, cut: second }
    case 'invoke': {
      const payload = parseJson(rest(line, 3) || 'null')
      return hub.invokeMethod(identity(first), { methodName: need(second, 'a method'), payload })
    }
    case 'desired': {
      const patch = parseJson(rest(line, 2))
      if (typeof patch !== 'object' || patch === null) throw new Error('expected a JSON object')
      await hub.patchDesired(identity(first), patch)
      return hub.twin(identity(first))
    }
    case 'twin':
      return hub.twin(identity(first))
    case 'disable':
      hub.disableDevice(first)
      return { device: first, enabled: false }
    case 'enable':
      hub.enableDevice(first)
      return { device: first, enabled: true }
    case 'delete':
      await hub.deleteDevice(first)
      devices.delete(first)
      return { device: first, deleted: true }
    case 'sas':
      return { container: first, url: await hub.containerSasUrl(need(first, 'a container')) }
    case 'blob': {
      const faults: Readonly<Record<string, BlobFault | null>> = {
        stall: 'stall',
        refuse: 'refuse',
        slow: 'slow',
        heal: null,
      }
      const fault = faults[first]
      if (fault === undefined) throw new Error(`expected one of ${Object.keys(faults).join(', ')}`)
      await hub.blobFault(fault)
      return { blob: fault }
    }
    case 'proxy':
      return proxy.run(words)
    case 'uploads':
      return hub.uploads
    case 'log':
      return hub.log.slice(-(Number(first) || 20))
    default:
      throw new Error(`there is no command "${command}"; try help`)
  }
}

/** What went wrong, for people and for scripts. */
export const describeFailure = (error: unknown): { error: string; code?: number } =>
  error instanceof HubError
    ? { error: error.message, code: error.code }
    : { error: error instanceof Error ? error.message : String(error) }

export const connectionStrings = (hub: Hub, devices: ReadonlyMap<string, readonly string[]>): Record<string, string> =>
  Object.fromEntries(
    [...devices].flatMap(([deviceId, moduleIds]) => [
      [deviceId, hub.connectionString(deviceId)],
      ...moduleIds.map(moduleId => [`${deviceId}/${moduleId}`, hub.connectionString(deviceId, moduleId)]),
    ]),
  )

function identity(word: string): Identity {
  const [deviceId = '', moduleId] = word.split('/')
  return { deviceId: need(deviceId, 'a device'), moduleId }
}

const need = (word: string, what: string): string => {
  if (word === '') throw new Error(`expected ${what}`)
  return word
}

/** What stands after the first `count` words, as it was typed. */
const rest = (line: string, count: number): string =>
  new RegExp(`^(?:\\S+\\s+){${count}}(.*)$`).exec(line.trim())?.[1] ?? ''

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`expected JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}
