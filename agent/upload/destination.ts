/**
 * Whether a `sasUrl` from outside may be used. It is a secret and a stranger's word at once: it is compared field by
 * field with what this device's own configuration allows, and never repeated.
 */
import dns from 'node:dns'
import { isIP } from 'node:net'
import type { Lookup } from '../../transports/socket-tap.js'
import { AgentError } from '../errors.js'
import { type AddressKind, addressKind } from './address.js'

export type Allowed = Readonly<{
  /** `https://host/container`, as the configuration's schema lets them through. */
  containers: readonly string[]
  /** Hosts that may have private and loopback addresses. */
  privateHosts: readonly string[]
}>

/** A problem is a sentence that holds no part of the URL. */
export type Checked = Readonly<{ url: URL } | { problem: string }>

const lengthMax = 4_096

/** Opens nothing and resolves nothing. */
export function checkSasUrl(text: string, allowed: Allowed): Checked {
  const url = parse(text)
  if (url === null) return { problem: 'expected an https URL of a container, spelled as the portal shows it' }
  const isAllowed = allowed.containers.some(container => {
    const { origin, pathname } = new URL(container)
    return url.origin === origin && url.pathname === pathname
  })
  if (!isAllowed) return { problem: 'its host and container are not in upload.allowedContainers of this device' }
  // The service reads names without regard to case.
  const names = [...url.searchParams.keys()]
  const signatures = names.filter(name => name.toLowerCase() === 'sig')
  if (signatures.length !== 1 || !url.searchParams.get('sig'))
    return { problem: 'expected exactly one signature (sig)' }
  if (names.some(name => operations.has(name.toLowerCase()))) {
    return { problem: 'expected a signature without an operation' }
  }
  const kind = kindWithoutLookup(url)
  if (kind !== null && !mayUse(kind, url.hostname, allowed)) return { problem: addressProblem }
  return { url }
}

export const addressProblem = 'its host has an address that this device does not upload to'

/** Only what comes back from the parser as it went in: one spelling per place, so nothing can hide in a second one. */
function parse(text: string): URL | null {
  if (text.length > lengthMax || !urlCharacters.test(text) || !URL.canParse(text)) return null
  const url = new URL(text)
  const isPlain = url.protocol === 'https:' && url.username === '' && url.password === '' && !text.includes('#')
  return isPlain && url.href === text ? url : null
}

/** RFC 3986's. The parser lets others stand in a query, and who reads them next may not. */
const urlCharacters = /^[\w.~:/?#[\]@!$&'()*+,;=%-]+$/

/** They would turn the upload of a block into something else. */
const operations: ReadonlySet<string> = new Set(['comp', 'restype', 'blockid'])

const mayUse = (kind: AddressKind, hostname: string, { privateHosts }: Allowed): boolean =>
  kind === 'public' || (kind === 'private' && privateHosts.includes(bare(hostname)))

/** An address needs no lookup, and Node asks for none; nor does the name that always means this host. */
function kindWithoutLookup({ hostname }: URL): AddressKind | null {
  const host = bare(hostname)
  if (isIP(host) !== 0) return addressKind(host)
  return /(^|\.)localhost\.?$/.test(host) ? 'private' : null
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/**
 * For the connection: resolves the name once and gives only that answer on, so that the address which was judged is the
 * one that is dialled. One forbidden address among several forbids all.
 */
export function guardLookup(allowed: Allowed, lookup: Lookup = systemLookup): Lookup {
  return (host, callback) =>
    lookup(host, (error, addresses) => {
      const isForbidden = addresses?.some(({ address }) => !mayUse(addressKind(address), host, allowed))
      if (isForbidden) callback(new AgentError('UPLOAD_REFUSED', addressProblem), [])
      else callback(error, addresses)
    })
}

/**
 * Asks early what the connection will ask again, so that a refusal is an answer and not a failed task.
 *
 * @param lookup one that is guarded
 * @returns whether the host is known to have a forbidden address; a name that does not resolve in time is not
 */
export function isForbiddenHost({ hostname }: URL, lookup: Lookup, limitMs: number): Promise<boolean> {
  const host = bare(hostname)
  // Addresses were judged before.
  if (isIP(host) !== 0) return Promise.resolve(false)
  return new Promise(resolve => {
    const timer = setTimeout(resolve, limitMs, false)
    lookup(host, error => {
      clearTimeout(timer)
      resolve(error instanceof AgentError)
    })
  })
}

const systemLookup: Lookup = (host, callback) =>
  dns.lookup(host, { all: true }, (error, addresses) => callback(error, addresses))
