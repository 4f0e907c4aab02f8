/** What Node and OpenSSL say when a certificate fails. */
import type { Failure } from '../../transports/wire-event.js'
import { type Close, findCode } from './wire-facts.js'

/** No trusted root at the end of the chain, or a chain that does not hold together. */
export const chainCodes: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
])
const nameCodes: ReadonlySet<string> = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH'])
const expiredCodes: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED'])
export const earlyCodes: ReadonlySet<string> = new Set(['CERT_NOT_YET_VALID'])
const selfSignedCodes: ReadonlySet<string> = new Set(['DEPTH_ZERO_SELF_SIGNED_CERT'])
const revokedCodes: ReadonlySet<string> = new Set(['CERT_REVOKED'])

const among =
  (codes: ReadonlySet<string>) =>
  ({ stage, error }: Close): Failure | undefined =>
    stage === 'tls' ? findCode(error, codes) : undefined

export const failedChain = among(chainCodes)
export const failedName = among(nameCodes)
export const failedAsExpired = among(expiredCodes)
export const failedAsEarly = among(earlyCodes)
export const failedAsSelfSigned = among(selfSignedCodes)
export const failedAsRevoked = among(revokedCodes)
