/** A token is a secret of its own; debug output of any library may hold it. */
import type { Secrets } from './secrets.js'

/** @param token as it goes over the wire, `SharedAccessSignature sr=...&sig=...&se=...` */
export function rememberToken(secrets: Secrets, token: string): void {
  secrets.add('shared-access-signature', token)
  const signature = /(?:^|[ &])sig=([^&]+)/.exec(token)?.[1]
  if (!signature) return
  secrets.add('signature', signature)
  secrets.add('signature', decodeURIComponent(signature))
}
