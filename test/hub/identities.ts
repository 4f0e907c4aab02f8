/** The identity registry: devices, their modules, their keys, their twins. */

import { randomBytes } from 'node:crypto'
import type { CertificateRule } from './client-certificates.js'
import type { Identity } from './events.js'
import { HubError } from './hub-error.js'
import { Messages } from './messages.js'
import { Twin } from './twin.js'

export type Registered = {
  readonly deviceId: string
  readonly moduleId: string | null
  /** base64 */
  key: string
  /** Signs in by certificate and not by key. */
  x509: CertificateRule | null
  enabled: boolean
  readonly twin: Twin
  readonly messages: Messages
}

/** `device` or `device/module`: the MQTT client id, and the registry's key. */
export const clientIdOf = ({ deviceId, moduleId }: Identity): string =>
  moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`

/** By what an identity signs in; a key of its own by default. */
export type Secret = Readonly<{ key?: string; x509?: CertificateRule | null }>

export class Identities {
  readonly #all = new Map<string, Registered>()

  add(identity: Identity, { key = makeKey(), x509 = null }: Secret = {}): Registered {
    const id = clientIdOf(identity)
    if (this.#all.has(id)) throw new Error(`${id} exists already`)
    const registered: Registered = {
      deviceId: identity.deviceId,
      moduleId: identity.moduleId ?? null,
      key,
      x509,
      enabled: true,
      twin: new Twin(),
      messages: new Messages(),
    }
    this.#all.set(id, registered)
    return registered
  }

  find(clientId: string): Registered | undefined {
    return this.#all.get(clientId)
  }

  /** @throws HubError 404001 when nobody of that name is registered */
  get(identity: Identity): Registered {
    const found = this.find(clientIdOf(identity))
    if (!found) throw new HubError(404001, `${clientIdOf(identity)} is not registered`)
    return found
  }

  /** Removes a device with its modules, or one module. */
  remove(identity: Identity): void {
    for (const registered of this.family(identity)) {
      const { deviceId, moduleId } = registered
      this.#all.delete(clientIdOf({ deviceId, moduleId: moduleId ?? undefined }))
    }
  }

  /** A device and its modules; for a module itself alone. */
  family({ deviceId, moduleId }: Identity): Registered[] {
    return this.list().filter(
      found => found.deviceId === deviceId && (moduleId === undefined || found.moduleId === moduleId),
    )
  }

  list(): Registered[] {
    return [...this.#all.values()]
  }
}

export const makeKey = (): string => randomBytes(32).toString('base64')
