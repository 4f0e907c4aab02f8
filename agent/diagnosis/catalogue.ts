/**
 * Every cause there is, the most specific first: an attempt or an ending belongs to the first whose rule recognises it.
 * Those without rules can only be explained or named beside a verdict.
 */
import type { Cause } from './cause.js'
import { appCrash } from './causes/app-crash.js'
import { captivePortal } from './causes/captive-portal.js'
import { clientIdRejected } from './causes/client-id-rejected.js'
import { clockSkew } from './causes/clock-skew.js'
import { connackTimeout } from './causes/connack-timeout.js'
import { deviceDeleted } from './causes/device-deleted.js'
import { deviceDisabled } from './causes/device-disabled.js'
import { deviceNotOnline } from './causes/device-not-online.js'
import { deviceSleep } from './causes/device-sleep.js'
import { dnsFailure } from './causes/dns-failure.js'
import { duplicateDeviceId } from './causes/duplicate-device-id.js'
import { edgeGatewayUnreachable } from './causes/edge-gateway-unreachable.js'
import { fileUploadLimit } from './causes/file-upload-limit.js'
import { gatewayTimeout } from './causes/gateway-timeout.js'
import { gracefulClose } from './causes/graceful-close.js'
import { hubTransient5xx } from './causes/hub-transient-5xx.js'
import { hubUnreachable } from './causes/hub-unreachable.js'
import { hubUpgradeOrFailover } from './causes/hub-upgrade-or-failover.js'
import { illegalTopic } from './causes/illegal-topic.js'
import { ipFilter } from './causes/ip-filter.js'
import { keepaliveTooLong } from './causes/keepalive-too-long.js'
import { linkLostKeepalive } from './causes/link-lost-keepalive.js'
import { methodsDead } from './causes/methods-dead.js'
import { natIdleTimeout } from './causes/nat-idle-timeout.js'
import { noNetwork } from './causes/no-network.js'
import { peerReset } from './causes/peer-reset.js'
import { portBlocked } from './causes/port-blocked.js'
import { portRefused } from './causes/port-refused.js'
import { protocolVersion } from './causes/protocol-version.js'
import { protocolViolation } from './causes/protocol-violation.js'
import { proxyRequired } from './causes/proxy-required.js'
import { quotaExceeded } from './causes/quota-exceeded.js'
import { sasExpired } from './causes/sas-expired.js'
import { sasRenewalExpected } from './causes/sas-renewal-expected.js'
import { serverCertificateInvalid } from './causes/server-certificate-invalid.js'
import { throttled } from './causes/throttled.js'
import { tlsClosed } from './causes/tls-closed.js'
import { tlsInterception } from './causes/tls-interception.js'
import { tlsRootMissing } from './causes/tls-root-missing.js'
import { tlsTimeout } from './causes/tls-timeout.js'
import { tlsVersionOrCipher } from './causes/tls-version-or-cipher.js'
import { unknownClose } from './causes/unknown-close.js'
import { wrongHubHostname } from './causes/wrong-hub-hostname.js'
import { wrongKey } from './causes/wrong-key.js'
import { x509Rejected } from './causes/x509-rejected.js'

export const catalogue: readonly Cause[] = [
  // What we did ourselves.
  gracefulClose,
  sasRenewalExpected,
  appCrash,
  methodsDead,
  // The road.
  edgeGatewayUnreachable,
  dnsFailure,
  noNetwork,
  portRefused,
  hubUnreachable,
  // The certificate: the clock before the server, the genuine chain before the foreign one.
  clockSkew,
  serverCertificateInvalid,
  tlsRootMissing,
  tlsInterception,
  // The handshake.
  tlsVersionOrCipher,
  captivePortal,
  tlsTimeout,
  peerReset,
  tlsClosed,
  // The sign-in.
  protocolVersion,
  clientIdRejected,
  hubTransient5xx,
  wrongKey,
  connackTimeout,
  // The session.
  linkLostKeepalive,
  protocolViolation,
  duplicateDeviceId,
  quotaExceeded,
  // What a device alone cannot recognise, or not yet.
  deviceDisabled,
  deviceDeleted,
  deviceNotOnline,
  deviceSleep,
  fileUploadLimit,
  gatewayTimeout,
  hubUpgradeOrFailover,
  illegalTopic,
  ipFilter,
  keepaliveTooLong,
  natIdleTimeout,
  portBlocked,
  proxyRequired,
  sasExpired,
  throttled,
  wrongHubHostname,
  x509Rejected,
  // What fits everything.
  unknownClose,
]

/** Titles by id, for the legend of a bundle. */
export const causeTitles: Readonly<Record<string, string>> = Object.fromEntries(
  catalogue.map(({ id, title }) => [id, title]),
)

const byId: ReadonlyMap<string, Cause> = new Map(catalogue.map(cause => [cause.id, cause]))

/** `undefined` for an id that this release does not know. */
export const findCause = (id: string): Cause | undefined => byId.get(id)
