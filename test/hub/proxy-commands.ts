/** What can be typed about the proxy: it is there from the first word on, and leads to a device's door. */

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseProxyFault, proxyFaultUsages } from './fault-words.js'
import { type LocalProxy, startProxy } from './http-proxy.js'
import type { Hub } from './hub.js'

export const proxyHelp = `  proxy DEVICE                      a proxy that leads HOST:443 to the device's door
  proxy demand USER PASSWORD        407 for everybody else
  proxy free                        everybody may pass
  proxy fault FAULT                 set a fault of the proxy, in force until healed
  proxy heal                        remove all its faults
  proxy cut fin|rst                 end its open tunnels
  proxy log [N]                     what it was asked, newest last (20)`

export const proxyFaultHelp = proxyFaultUsages()
  .map(line => `  ${line}`)
  .join('\n')

export class ProxyCommands {
  #proxy: LocalProxy | null = null

  constructor(private readonly hub: Hub) {}

  /** @throws Error whose message is for the person who typed */
  async run([first = '', ...words]: readonly string[]): Promise<unknown> {
    const proxy = this.#proxy
    if (!proxy || !['demand', 'free', 'fault', 'heal', 'cut', 'log'].includes(first)) return this.#lead(first)
    const [second = '', third = ''] = words
    switch (first) {
      case 'demand':
        if (third === '') throw new Error('expected a user and a password')
        proxy.demand({ user: second, password: third })
        return { proxy: proxy.url, user: second }
      case 'free':
        proxy.demand(null)
        return { proxy: proxy.url, user: null }
      case 'fault': {
        const fault = parseProxyFault(words)
        proxy.set(fault)
        return { proxy: proxy.url, fault }
      }
      case 'heal':
        proxy.heal()
        return { proxy: proxy.url, healed: true }
      case 'cut':
        if (second !== 'fin' && second !== 'rst') throw new Error('expected fin or rst')
        proxy.cut(second)
        return { proxy: proxy.url, cut: second }
      default:
        return proxy.log.slice(-(Number(second) || 20))
    }
  }

  async close(): Promise<void> {
    await this.#proxy?.close()
  }

  async #lead(deviceId: string): Promise<unknown> {
    const { hub } = this
    const { port } = hub.door(deviceId)
    const target = `${hub.hostName}:443`
    this.#proxy ??= await startProxy({ ca: hub.ca })
    this.#proxy.route(target, port)
    const caFile = join(dirname(hub.caFile), 'proxy-ca.pem')
    await writeFile(caFile, this.#proxy.ca)
    return { proxy: this.#proxy.url, target, device: deviceId, caFile }
  }
}
