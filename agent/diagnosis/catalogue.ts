/**
 * Every cause there is, the most specific first: an attempt or an ending belongs to the first whose rule recognises it.
 * Those without rules can only be explained or named beside a verdict.
 */
import type { Cause } from './cause.js'
import { amqpCbsNonauth } from './causes/amqp-cbs-nonauth.js'
import { amqpHubClose } from './causes/amqp-hub-close.js'
import { appCrash } from './causes/app-crash.js'
import { basicTierOperation } from './causes/basic-tier-operation.js'
import { captivePortal } from './causes/captive-portal.js'
import { cbsTimeout } from './causes/cbs-timeout.js'
import { clientIdRejected } from './causes/client-id-rejected.js'
import { clockSkew } from './causes/clock-skew.js'
import { configInvalid } from './causes/config-invalid.js'
import { connackTimeout } from './causes/connack-timeout.js'
import { credentialUnavailable } from './causes/credential-unavailable.js'
import { deviceAlreadyExists } from './causes/device-already-exists.js'
import { deviceDeleted } from './causes/device-deleted.js'
import { deviceDisabled } from './causes/device-disabled.js'
import { deviceNotOnline } from './causes/device-not-online.js'
import { deviceSleep } from './causes/device-sleep.js'
import { dnsFailure } from './causes/dns-failure.js'
import { dpsFailure } from './causes/dps-failure.js'
import { dpsReassigned } from './causes/dps-reassigned.js'
import { duplicateDeviceId } from './causes/duplicate-device-id.js'
import { edgeGatewayUnreachable } from './causes/edge-gateway-unreachable.js'
import { etag } from './causes/etag.js'
import { eventLoopStall } from './causes/event-loop-stall.js'
import { fileUploadLimit } from './causes/file-upload-limit.js'
import { gatewayTimeout } from './causes/gateway-timeout.js'
import { gracefulClose } from './causes/graceful-close.js'
import { hubSuspended } from './causes/hub-suspended.js'
import { hubTransient5xx } from './causes/hub-transient-5xx.js'
import { hubUnreachable } from './causes/hub-unreachable.js'
import { hubUpgradeOrFailover } from './causes/hub-upgrade-or-failover.js'
import { illegalTopic } from './causes/illegal-topic.js'
import { ipFilter } from './causes/ip-filter.js'
import { ipPinnedOrStaleDns } from './causes/ip-pinned-or-stale-dns.js'
import { ipv6Only } from './causes/ipv6-only.js'
import { keepaliveTooLong } from './causes/keepalive-too-long.js'
import { linkLostKeepalive } from './causes/link-lost-keepalive.js'
import { lockLost } from './causes/lock-lost.js'
import { messageTooLarge } from './causes/message-too-large.js'
import { methodsDead } from './causes/methods-dead.js'
import { mqttQos2 } from './causes/mqtt-qos2.js'
import { natIdleTimeout } from './causes/nat-idle-timeout.js'
import { noNetwork } from './causes/no-network.js'
import { partitionNotFound } from './causes/partition-not-found.js'
import { peerReset } from './causes/peer-reset.js'
import { portBlocked } from './causes/port-blocked.js'
import { portRefused } from './causes/port-refused.js'
import { protocolVersion } from './causes/protocol-version.js'
import { protocolViolation } from './causes/protocol-violation.js'
import { proxyRequired } from './causes/proxy-required.js'
import { pubackTimeout } from './causes/puback-timeout.js'
import { publicAccessDisabled } from './causes/public-access-disabled.js'
import { queueDepth } from './causes/queue-depth.js'
import { quotaExceeded } from './causes/quota-exceeded.js'
import { sasExpired } from './causes/sas-expired.js'
import { sasRenewalExpected } from './causes/sas-renewal-expected.js'
import { sdkGaveUp } from './causes/sdk-gave-up.js'
import { sdkOutdated } from './causes/sdk-outdated.js'
import { serverCertificateInvalid } from './causes/server-certificate-invalid.js'
import { throttled } from './causes/throttled.js'
import { tlsClosed } from './causes/tls-closed.js'
import { tlsInterception } from './causes/tls-interception.js'
import { tlsRootMissing } from './causes/tls-root-missing.js'
import { tlsTimeout } from './causes/tls-timeout.js'
import { tlsVersionOrCipher } from './causes/tls-version-or-cipher.js'
import { tooManySubscriptions } from './causes/too-many-subscriptions.js'
import { unknownClose } from './causes/unknown-close.js'
import { wrongHubHostname } from './causes/wrong-hub-hostname.js'
import { wrongKey } from './causes/wrong-key.js'
import { x509Rejected } from './causes/x509-rejected.js'

export const catalogue: readonly Cause[] = [
  // What we did ourselves, or what the application did.
  gracefulClose,
  sasRenewalExpected,
  appCrash,
  sdkGaveUp,
  methodsDead,
  credentialUnavailable,
  // Another hub than the one that was dialled.
  dpsReassigned,
  // What the host itself went through.
  deviceSleep,
  eventLoopStall,
  // The road, to a proxy or a gateway before the hub.
  proxyRequired,
  edgeGatewayUnreachable,
  // Who answers in the place of everybody.
  captivePortal,
  // A host without a way out resolves no name either.
  noNetwork,
  dnsFailure,
  ipPinnedOrStaleDns,
  portBlocked,
  portRefused,
  hubUnreachable,
  // The certificate: the clock before the server, the genuine chain before the foreign one.
  clockSkew,
  serverCertificateInvalid,
  tlsRootMissing,
  tlsInterception,
  // Credentials of whose kind and end we know.
  sasExpired,
  x509Rejected,
  // The handshake.
  tlsVersionOrCipher,
  tlsTimeout,
  peerReset,
  tlsClosed,
  // The session that fell silent, or was garbled.
  natIdleTimeout,
  linkLostKeepalive,
  protocolViolation,
  // What the hub says, in a CONNACK, to a put-token, in HTTP or by a condition: the exact words before the vague ones.
  protocolVersion,
  clientIdRejected,
  throttled,
  hubSuspended,
  messageTooLarge,
  deviceDisabled,
  deviceDeleted,
  wrongHubHostname,
  basicTierOperation,
  illegalTopic,
  ipFilter,
  hubUpgradeOrFailover,
  duplicateDeviceId,
  quotaExceeded,
  hubTransient5xx,
  wrongKey,
  amqpCbsNonauth,
  // The sign-in that is not answered.
  cbsTimeout,
  connackTimeout,
  dpsFailure,
  // What has no better name.
  amqpHubClose,
  // What a device alone cannot recognise, or not yet.
  keepaliveTooLong,
  deviceNotOnline,
  fileUploadLimit,
  gatewayTimeout,
  partitionNotFound,
  publicAccessDisabled,
  configInvalid,
  deviceAlreadyExists,
  etag,
  ipv6Only,
  lockLost,
  mqttQos2,
  pubackTimeout,
  queueDepth,
  sdkOutdated,
  tooManySubscriptions,
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
