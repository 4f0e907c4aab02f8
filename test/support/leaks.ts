/** Searches a text for any part of a device's key, and for anything that looks like a token. */
import type { Secrets } from '../../transports/secrets.js'

/** Base64 of so many characters does not come by chance in so little text. */
const partLength = 8

/** A signature is 44 characters of base64, perhaps as a URL writes it; nothing else that is told has such a run. */
const signature = /(?:[A-Za-z0-9+/]|%2[Bb]|%2[Ff]){40}/

/**
 * @param secrets those that the connection itself has remembered, its tokens among them
 * @returns a sentence for each leak, which repeats none of it
 */
export function leaks(text: string, connectionString: string, secrets: Secrets): string[] {
  const key = /SharedAccessKey=([^;]+)/.exec(connectionString)?.[1] ?? ''
  const forms = [key, encodeURIComponent(key), Buffer.from(key).toString('base64')]
  const parts = forms.flatMap(form =>
    Array.from({ length: form.length - partLength + 1 }, (_, at) => form.slice(at, at + partLength)),
  )
  const found: string[] = []
  if (parts.length === 0 || parts.some(part => text.includes(part))) found.push('part of the key')
  if (/SharedAccess(?:Key|Signature)|[?&]sig=/i.test(text)) found.push('a word that only secrets have')
  if (signature.test(text)) found.push('something like a signature')
  for (const kind of Object.keys(secrets.scrub(text).removed)) found.push(`a remembered ${kind}`)
  return found
}
