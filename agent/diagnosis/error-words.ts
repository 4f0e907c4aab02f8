/** What systems and libraries call their errors, and the causes to which each may lead, the likeliest first. */
export const errorWords: Readonly<Record<string, Readonly<{ means: string; causes: readonly string[] }>>> = {
  ECONNREFUSED: {
    means: 'The host answered that nobody listens at that port, or a firewall answered so for it.',
    causes: ['port-refused', 'port-blocked', 'edge-gateway-unreachable'],
  },
  ECONNRESET: {
    means: 'The other side, or something on the road, broke the connection off at once.',
    causes: ['peer-reset', 'tls-closed', 'nat-idle-timeout', 'duplicate-device-id'],
  },
  EPIPE: {
    means: 'It was written to a connection that the other side had ended.',
    causes: ['peer-reset', 'link-lost-keepalive'],
  },
  ETIMEDOUT: {
    means: 'Nobody answered in time: a connection was not taken, or what was sent was not acknowledged.',
    causes: ['hub-unreachable', 'port-blocked', 'tls-timeout', 'connack-timeout', 'link-lost-keepalive'],
  },
  EHOSTUNREACH: {
    means: 'A router, or this host, knows no way to that address.',
    causes: ['no-network', 'hub-unreachable'],
  },
  ENETUNREACH: { means: 'This host has no route to that network.', causes: ['no-network', 'ipv6-only'] },
  ENETDOWN: { means: 'The interface is down.', causes: ['no-network'] },
  ENOTFOUND: { means: 'A name leads to no address.', causes: ['dns-failure', 'wrong-hub-hostname', 'no-network'] },
  EAI_AGAIN: { means: 'No resolver answered, or none could find the answer.', causes: ['dns-failure', 'no-network'] },
  ENODATA: {
    means: 'The name is there, and has no address of the kind that was asked for.',
    causes: ['dns-failure', 'ipv6-only'],
  },
  ESERVFAIL: { means: 'The resolver could not find the answer.', causes: ['dns-failure'] },
  EPROTO: {
    means: 'TLS broke off: the other side does not speak it, or not in the same way.',
    causes: ['tls-version-or-cipher', 'protocol-violation'],
  },
  CERT_HAS_EXPIRED: {
    means: 'The date of a certificate has passed, by the clock of this device.',
    causes: ['server-certificate-invalid', 'clock-skew'],
  },
  CERT_NOT_YET_VALID: {
    means: 'A certificate has not begun, by the clock of this device.',
    causes: ['clock-skew', 'server-certificate-invalid'],
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    means: 'The server signs for itself.',
    causes: ['server-certificate-invalid', 'tls-interception'],
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    means: 'The chain ends in a root that is not trusted here.',
    causes: ['tls-interception', 'tls-root-missing'],
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    means: 'The root of the chain is not trusted here.',
    causes: ['tls-root-missing', 'tls-interception'],
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    means: 'The chain is not whole, or its root is not trusted here.',
    causes: ['tls-root-missing', 'tls-interception'],
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    means: 'The certificate is for another name.',
    causes: ['tls-interception', 'wrong-hub-hostname'],
  },
}
