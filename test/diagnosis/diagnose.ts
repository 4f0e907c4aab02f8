import t from 'tap'
import { findCause } from '../../agent/diagnosis/catalogue.js'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Confidence, Evidence, PastSession, Verdict } from '../../agent/evidence/episode.js'
import type { Protocol } from '../../transports/wire-event.js'
import {
  after,
  cbsRefused,
  certificate,
  dualStack,
  evidenceOf,
  failedAt,
  failedWith,
  httpRefused,
  hub,
  hubAddress,
  lost,
  past,
  refused,
  systemError,
  timedOutAt,
  tlsError,
  undialled,
} from '../support/evidence.js'

/** What a rule decides; the rest of a verdict is the catalogue's. */
type Expected = Readonly<{
  story: string
  evidence: Evidence
  cause: string
  confidence: Confidence
  sees: readonly string[]
  runnersUp?: readonly string[]
  firstSteps?: readonly string[]
  planned?: boolean
}>

const at = `${hub}:8883`
const where = `${at} (${hubAddress}:8883)`
const onlyOne = 'The one failed attempt ended so, and answers for 2.0 s without a connection.'
const noSession = 'There was no session before.'
const lasted = 'The session had lasted 1 min 30 s.'
const goodClock = 'The clock of this device read 2026-11-22T10:00:00.000Z; the host says it is synchronised.'
const shown =
  'The server showed a certificate for CN=*.azure-devices.net, issued by CN=Proxy Root, O=Example Ltd, valid from 2026-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z.'

/** Nothing but these attempts. */
const attempts = (...failed: Evidence['failed']): Evidence => evidenceOf({ failed })
const whoseClock = (clock: Partial<Evidence['clock']>, ...failed: Evidence['failed']): Evidence =>
  evidenceOf({ failed, clock: { wallMs: 42_000, plausible: true, synchronised: null, ...clock } })

const onTheRoad: readonly Expected[] = [
  {
    story: 'a name that does not exist',
    evidence: attempts(
      failedWith('dns', {
        name: 'Error',
        message: `getaddrinfo ENOTFOUND ${hub}`,
        code: 'ENOTFOUND',
        syscall: 'getaddrinfo',
      }),
    ),
    cause: 'dns-failure',
    confidence: 'certain',
    sees: [`Resolving ${hub} failed: getaddrinfo ENOTFOUND ${hub}.`, onlyOne, noSession],
    runnersUp: ['wrong-hub-hostname possible', 'no-network possible'],
  },
  {
    story: 'a resolver that cannot be reached',
    evidence: attempts(
      failedWith('dns', { name: 'Error', message: `getaddrinfo EAI_AGAIN ${hub}`, code: 'EAI_AGAIN' }),
    ),
    cause: 'dns-failure',
    confidence: 'possible',
    sees: [`Resolving ${hub} failed: getaddrinfo EAI_AGAIN ${hub}.`, onlyOne, noSession],
    runnersUp: ['no-network possible'],
  },
  {
    story: 'a resolver that is silent',
    evidence: attempts(timedOutAt('dns')),
    cause: 'dns-failure',
    confidence: 'possible',
    sees: [`No DNS server answered for ${hub} within 10.0 s.`, onlyOne, noSession],
    runnersUp: ['no-network possible'],
  },
  {
    story: 'the name of a gateway that does not resolve is still the resolver',
    evidence: attempts(timedOutAt('dns', { gateway: true, host: 'edge' })),
    cause: 'dns-failure',
    confidence: 'possible',
    sees: ['No DNS server answered for edge within 10.0 s.', onlyOne, noSession],
    runnersUp: ['no-network possible'],
  },
  {
    story: 'no route on either stack',
    evidence: attempts(
      failedWith(
        'tcp',
        dualStack(systemError('ENETUNREACH', 'connect', '[2603::1]:8883'), systemError('ENETUNREACH', 'connect')),
      ),
    ),
    cause: 'no-network',
    confidence: 'certain',
    sees: [
      `Nothing could be sent to [2603::1]:8883, ${hubAddress}:8883: connect ENETUNREACH [2603::1]:8883; connect ENETUNREACH ${hubAddress}:8883.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['hub-unreachable possible'],
  },
  {
    story: 'a road that ends somewhere',
    evidence: attempts(failedWith('tcp', systemError('EHOSTUNREACH', 'connect'))),
    cause: 'no-network',
    confidence: 'likely',
    sees: [`Nothing could be sent to ${hubAddress}:8883: connect EHOSTUNREACH ${hubAddress}:8883.`, onlyOne, noSession],
    runnersUp: ['hub-unreachable possible'],
  },
  {
    story: 'a refused port',
    evidence: attempts(failedWith('tcp', systemError('ECONNREFUSED', 'connect'))),
    cause: 'port-refused',
    confidence: 'certain',
    sees: [
      `The connection to ${at} was refused at ${hubAddress}:8883: connect ECONNREFUSED ${hubAddress}:8883.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible'],
  },
  {
    story: 'a host without IPv6 whose IPv4 connection is refused has a network',
    evidence: attempts(
      failedWith(
        'tcp',
        dualStack(systemError('ENETUNREACH', 'connect', '[2603::1]:8883'), systemError('ECONNREFUSED', 'connect')),
      ),
    ),
    cause: 'port-refused',
    confidence: 'certain',
    sees: [
      `The connection to ${at} was refused at [2603::1]:8883, ${hubAddress}:8883: connect ENETUNREACH [2603::1]:8883; connect ECONNREFUSED ${hubAddress}:8883.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible'],
  },
  {
    story: 'a SYN that nobody answers',
    evidence: attempts(timedOutAt('tcp')),
    cause: 'hub-unreachable',
    confidence: 'possible',
    sees: [`Nothing answered at ${where} within 10.0 s.`, onlyOne, noSession],
    runnersUp: ['port-blocked possible', 'no-network possible'],
  },
  {
    story: 'a SYN that the kernel gave up repeating',
    evidence: attempts(
      failedAt('tcp', { by: 'network', how: 'timeout', error: systemError('ETIMEDOUT', 'connect'), silentMs: 127_000 }),
    ),
    cause: 'hub-unreachable',
    confidence: 'possible',
    sees: [`Nothing answered at ${where} within 2 min 7 s.`, onlyOne, noSession],
    runnersUp: ['port-blocked possible', 'no-network possible'],
  },
  {
    story: 'a firewall on this very device',
    evidence: attempts(failedWith('tcp', systemError('EPERM', 'connect'))),
    cause: 'hub-unreachable',
    confidence: 'likely',
    sees: [
      `This device would not let the connection to ${where} out: connect EPERM ${hubAddress}:8883.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible'],
    firstSteps: ['Run `nft list ruleset` and look for a rule on this device that forbids the connection.'],
  },
  {
    story: 'a gateway that refuses',
    evidence: attempts(
      failedWith('tcp', systemError('ECONNREFUSED', 'connect', '10.0.0.2:8883'), { gateway: true, host: 'edge' }),
    ),
    cause: 'edge-gateway-unreachable',
    confidence: 'certain',
    sees: [
      'The connection to the gateway edge:8883 (10.0.0.2:8883) was refused: connect ECONNREFUSED 10.0.0.2:8883.',
      onlyOne,
      noSession,
    ],
  },
  {
    story: 'a gateway that is silent',
    evidence: attempts(timedOutAt('tcp', { gateway: true, host: 'edge', addresses: ['fd00::2'] })),
    cause: 'edge-gateway-unreachable',
    confidence: 'certain',
    sees: ['Nothing answered at the gateway edge:8883 ([fd00::2]:8883) within 10.0 s.', onlyOne, noSession],
    runnersUp: ['no-network possible'],
  },
  {
    story: 'a gateway that resets',
    evidence: attempts(
      failedAt(
        'tcp',
        { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'connect', '10.0.0.2:8883') },
        { gateway: true, host: 'edge' },
      ),
    ),
    cause: 'edge-gateway-unreachable',
    confidence: 'certain',
    sees: [
      'The connection to the gateway edge:8883 (10.0.0.2:8883) was reset before it stood: connect ECONNRESET 10.0.0.2:8883.',
      onlyOne,
      noSession,
    ],
  },
  {
    story: 'a gateway that is off',
    evidence: attempts(
      failedWith('tcp', systemError('EHOSTUNREACH', 'connect', '10.0.0.2:8883'), { gateway: true, host: 'edge' }),
    ),
    cause: 'edge-gateway-unreachable',
    confidence: 'likely',
    sees: [
      'No machine answers at the gateway edge:8883 (10.0.0.2:8883): connect EHOSTUNREACH 10.0.0.2:8883.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['no-network possible'],
  },
  {
    story: 'a reset of the TCP connect',
    evidence: attempts(failedAt('tcp', { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'connect') })),
    cause: 'peer-reset',
    confidence: 'certain',
    sees: [
      `A TCP reset (RST) arrived while connecting (stage tcp): connect ECONNRESET ${hubAddress}:8883.`,
      'The other side had been silent for 12.0 s; 0 messages waited for an answer.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible', 'throttled possible'],
  },
]

const inTls: readonly Expected[] = [
  {
    story: 'a handshake that nobody answers',
    evidence: attempts(timedOutAt('tls')),
    cause: 'tls-timeout',
    confidence: 'certain',
    sees: [
      `TCP to ${where} stood, and the TLS handshake was not finished: silence for 10.0 s.`,
      '2048 bytes had been sent and 4096 bytes received.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['proxy-required possible', 'hub-transient-5xx possible'],
  },
  {
    story: 'a FIN in the handshake, which Node calls a reset without a system call',
    evidence: attempts(
      failedAt('tls', {
        by: 'hub',
        how: 'fin',
        error: { name: 'Error', message: 'Client network socket disconnected', code: 'ECONNRESET' },
      }),
    ),
    cause: 'tls-closed',
    confidence: 'certain',
    sees: [
      `${where} closed the connection (FIN) during the TLS handshake, after 4096 bytes and a silence of 12.0 s.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-version-or-cipher possible', 'proxy-required possible'],
  },
  {
    story: 'an end before a byte has come, which a reset may be as well',
    evidence: attempts(failedAt('tls', { by: 'hub', how: 'fin', bytesRead: 0 })),
    cause: 'tls-closed',
    confidence: 'possible',
    sees: [
      `${where} closed the connection during the TLS handshake, after 0 bytes and a silence of 12.0 s.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['peer-reset possible', 'tls-version-or-cipher possible', 'proxy-required possible'],
  },
  {
    story: 'a reset in the handshake',
    evidence: attempts(failedAt('tls', { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') })),
    cause: 'peer-reset',
    confidence: 'certain',
    sees: [
      `A TCP reset (RST) arrived while connecting (stage tls): read ECONNRESET ${hubAddress}:8883.`,
      'The other side had been silent for 12.0 s; 0 messages waited for an answer.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible', 'throttled possible'],
  },
  ...[
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'SELF_SIGNED_CERT_IN_CHAIN',
  ].flatMap((code): Expected[] => [
    {
      story: `the hub's own chain under a root that is not trusted here (${code})`,
      evidence: attempts(
        failedWith('tls', tlsError(code, 'no trust'), { certificate: certificate({ knownRoot: true }) }),
      ),
      cause: 'tls-root-missing',
      confidence: 'certain',
      sees: [
        `The certificate chain was not trusted: ${code}: no trust.`,
        shown,
        'The chain leads to a root that IoT Hub is documented to use, so the server is genuine and the root is missing here.',
        'Hubs of the public cloud chain to DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017.',
        onlyOne,
        noSession,
      ],
    },
    {
      story: `a foreign chain (${code})`,
      evidence: attempts(
        failedWith('tls', tlsError(code, 'no trust'), { certificate: certificate({ knownRoot: false }) }),
      ),
      cause: 'tls-interception',
      confidence: 'certain',
      sees: [
        `The certificate chain was not trusted: ${code}: no trust.`,
        shown,
        'The chain leads to no root that IoT Hub is documented to use; its issuer is CN=Proxy Root, O=Example Ltd.',
        onlyOne,
        noSession,
      ],
    },
    {
      story: `a chain that leads elsewhere, where roots of one's own may lead too (${code})`,
      evidence: attempts(failedWith('tls', tlsError(code, 'no trust'), { certificate: certificate() })),
      cause: 'tls-interception',
      confidence: 'possible',
      sees: [
        `The certificate chain was not trusted: ${code}: no trust.`,
        shown,
        'It leads to no root that is trusted here; whether the server has a root of your own by now cannot be told from here.',
        onlyOne,
        noSession,
      ],
      firstSteps: [
        'If the issuer is a root of your own, put that root into `connection.caFile`; the next attempt reads it.',
      ],
      runnersUp: ['tls-root-missing possible'],
    },
  ]),
  {
    story: 'a chain that failed before it was seen',
    evidence: attempts(failedWith('tls', tlsError('SELF_SIGNED_CERT_IN_CHAIN', 'no trust'))),
    cause: 'tls-interception',
    confidence: 'possible',
    sees: [
      'The certificate chain was not trusted: SELF_SIGNED_CERT_IN_CHAIN: no trust.',
      'The certificate that was shown is not known.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-root-missing possible'],
  },
  {
    story: 'a foreign chain at a gateway, which has a root of its own',
    evidence: attempts(
      failedWith('tls', tlsError('SELF_SIGNED_CERT_IN_CHAIN', 'no trust'), {
        certificate: certificate({ knownRoot: false }),
        gateway: true,
        host: 'edge',
      }),
    ),
    cause: 'tls-interception',
    confidence: 'possible',
    sees: [
      'The certificate chain was not trusted: SELF_SIGNED_CERT_IN_CHAIN: no trust.',
      shown,
      'The chain leads to no root that IoT Hub is documented to use; that of a gateway need not.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-root-missing possible'],
    firstSteps: ['If the issuer is the root of your own gateway, name that root in `connection.caFile`.'],
  },
  {
    story: 'a certificate for another name',
    evidence: attempts(
      failedWith('tls', tlsError('ERR_TLS_CERT_ALTNAME_INVALID', 'wrong name'), {
        certificate: certificate({ subject: 'CN=other', altNames: 'DNS:other' }),
      }),
    ),
    cause: 'tls-interception',
    confidence: 'certain',
    sees: [
      `${hub} was asked for, and the certificate that was shown is not for that name: ERR_TLS_CERT_ALTNAME_INVALID: wrong name.`,
      'It was made for CN=other and is valid for DNS:other, by CN=Proxy Root, O=Example Ltd.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['wrong-hub-hostname possible'],
  },
  {
    story: 'a certificate that is signed by itself, whatever the clock says',
    evidence: whoseClock(
      { plausible: false, synchronised: false },
      failedWith('tls', tlsError('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'), { certificate: certificate() }),
    ),
    cause: 'server-certificate-invalid',
    confidence: 'certain',
    sees: [
      'The certificate of the server was refused: DEPTH_ZERO_SELF_SIGNED_CERT: self-signed.',
      shown,
      'The clock of this device read 1970-01-01T00:00:42.000Z, which cannot be true; the host says it is not synchronised.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-interception possible'],
  },
  ...(
    [
      ['CERT_HAS_EXPIRED', { plausible: true, synchronised: true }, 'server-certificate-invalid', 'certain', []],
      [
        'CERT_HAS_EXPIRED',
        { plausible: true, synchronised: null },
        'server-certificate-invalid',
        'possible',
        ['clock-skew possible'],
      ],
      [
        'CERT_HAS_EXPIRED',
        { plausible: true, synchronised: false },
        'server-certificate-invalid',
        'possible',
        ['clock-skew possible'],
      ],
      ['CERT_HAS_EXPIRED', { plausible: false, synchronised: true }, 'clock-skew', 'certain', []],
      ['CERT_HAS_EXPIRED', { plausible: false, synchronised: null }, 'clock-skew', 'certain', []],
      ['CERT_HAS_EXPIRED', { plausible: false, synchronised: false }, 'clock-skew', 'certain', []],
      ['CERT_NOT_YET_VALID', { plausible: true, synchronised: true }, 'server-certificate-invalid', 'certain', []],
      [
        'CERT_NOT_YET_VALID',
        { plausible: true, synchronised: null },
        'clock-skew',
        'possible',
        ['server-certificate-invalid possible'],
      ],
      [
        'CERT_NOT_YET_VALID',
        { plausible: true, synchronised: false },
        'clock-skew',
        'likely',
        ['server-certificate-invalid possible'],
      ],
      ['CERT_NOT_YET_VALID', { plausible: false, synchronised: true }, 'clock-skew', 'certain', []],
      ['CERT_NOT_YET_VALID', { plausible: false, synchronised: false }, 'clock-skew', 'certain', []],
      ['CERT_REVOKED', { plausible: true, synchronised: false }, 'server-certificate-invalid', 'certain', []],
    ] as const
  ).map(([code, clock, cause, confidence, runnersUp]): Expected => {
    const read = `The clock of this device read 1970-01-01T00:00:42.000Z${clock.plausible ? '' : ', which cannot be true'}; ${
      clock.synchronised === null
        ? 'the host does not say whether it is synchronised'
        : `the host says it is ${clock.synchronised ? '' : 'not '}synchronised`
    }.`
    const seen =
      cause === 'clock-skew'
        ? [
            read,
            `Seen by that clock, the certificate of the server ${code === 'CERT_NOT_YET_VALID' ? 'is not valid yet' : 'has expired'}: ${code}: bad date.`,
            shown,
          ]
        : [`The certificate of the server was refused: ${code}: bad date.`, shown, read]
    return {
      story: `${code} under a clock that is ${clock.plausible ? '' : 'im'}plausible and synchronised: ${clock.synchronised}`,
      evidence: whoseClock(clock, failedWith('tls', tlsError(code, 'bad date'), { certificate: certificate() })),
      cause,
      confidence,
      sees: [...seen, onlyOne, noSession],
      runnersUp,
    }
  }),
  {
    story: 'an alert that names the version',
    evidence: attempts(
      failedWith(
        'tls',
        tlsError('EPROTO', 'write EPROTO C0F7:error:0A00042E:SSL routines:tlsv1 alert protocol version\n'),
      ),
    ),
    cause: 'tls-version-or-cipher',
    confidence: 'certain',
    sees: [
      `${at} refused the TLS handshake: write EPROTO C0F7:error:0A00042E:SSL routines:tlsv1 alert protocol version.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-interception possible'],
  },
  {
    story: 'an alert that only says that the handshake failed',
    evidence: attempts(failedWith('tls', tlsError('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'alert 40'))),
    cause: 'tls-version-or-cipher',
    confidence: 'likely',
    sees: [`${at} refused the TLS handshake: ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: alert 40.`, onlyOne, noSession],
    runnersUp: ['tls-interception possible'],
  },
  {
    story: 'an answer that is not TLS',
    evidence: attempts(failedWith('tls', tlsError('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'))),
    cause: 'captive-portal',
    confidence: 'possible',
    sees: [
      `Whoever answered for ${at} at ${hubAddress}:8883 does not speak TLS: ERR_SSL_WRONG_VERSION_NUMBER: wrong version number.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['proxy-required possible'],
  },
]

const refusedKey = (code: number): string => `${at} answered the sign-in and refused it with CONNACK ${code}.`
const changed =
  'The same credential was accepted before, so something has changed: the key was renewed, or the device was disabled or deleted.'

const atTheSignIn: readonly Expected[] = [
  {
    story: 'a sign-in that is never answered',
    evidence: attempts(timedOutAt('auth')),
    cause: 'connack-timeout',
    confidence: 'certain',
    sees: [
      `TLS to ${at} was ready and the sign-in was sent, but no CONNACK came: silence for 10.0 s.`,
      '2048 bytes had been sent and 4096 bytes received.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['hub-transient-5xx possible', 'no-network possible'],
  },
  {
    story: 'CONNACK 1',
    evidence: attempts(refused(1)),
    cause: 'protocol-version',
    confidence: 'certain',
    sees: [`${at} answered the sign-in with CONNACK 1: unacceptable protocol version.`, onlyOne, noSession],
  },
  {
    story: 'CONNACK 2',
    evidence: attempts(refused(2)),
    cause: 'client-id-rejected',
    confidence: 'certain',
    sees: [`${at} answered the sign-in with CONNACK 2: client id rejected.`, onlyOne, noSession],
  },
  {
    story: 'CONNACK 3',
    evidence: attempts(refused(3)),
    cause: 'hub-transient-5xx',
    confidence: 'likely',
    sees: [`${at} answered the sign-in with CONNACK 3: server unavailable.`, onlyOne, noSession],
    runnersUp: ['wrong-hub-hostname possible', 'throttled possible'],
  },
  ...[4, 5].map(
    (code): Expected => ({
      story: `CONNACK ${code} for a credential that has worked`,
      evidence: attempts(refused(code)),
      cause: 'wrong-key',
      confidence: 'possible',
      sees: [refusedKey(code), changed, goodClock, onlyOne, noSession],
      runnersUp: [
        'device-disabled possible',
        'device-deleted possible',
        'sas-expired possible',
        'clock-skew possible',
        'ip-filter possible',
      ],
    }),
  ),
  {
    story: 'CONNACK 5 for a credential that never worked',
    evidence: evidenceOf({ failed: [refused(5)], credentialWorked: false }),
    cause: 'wrong-key',
    confidence: 'possible',
    sees: [
      refusedKey(5),
      'This credential has never been accepted, as far as the records go.',
      goodClock,
      onlyOne,
      noSession,
    ],
    runnersUp: [
      'device-deleted possible',
      'wrong-hub-hostname possible',
      'clock-skew possible',
      'device-disabled possible',
      'ip-filter possible',
    ],
  },
  {
    story: 'CONNACK 5 under a clock that nobody sets, which comes first among the doubts',
    evidence: whoseClock({ synchronised: false }, refused(5)),
    cause: 'wrong-key',
    confidence: 'possible',
    sees: [
      refusedKey(5),
      changed,
      'The clock of this device read 1970-01-01T00:00:42.000Z; the host says it is not synchronised.',
      onlyOne,
      noSession,
    ],
    runnersUp: [
      'clock-skew possible',
      'device-disabled possible',
      'device-deleted possible',
      'sas-expired possible',
      'ip-filter possible',
    ],
  },
  {
    story: 'CONNACK 5 under an impossible clock',
    evidence: whoseClock({ plausible: false }, refused(5)),
    cause: 'clock-skew',
    confidence: 'likely',
    sees: [
      refusedKey(5),
      'The clock of this device read 1970-01-01T00:00:42.000Z, which cannot be true; the host does not say whether it is synchronised.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['wrong-key possible'],
  },
  {
    story: 'a code that MQTT 3.1.1 does not have',
    evidence: attempts(refused(135)),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [`${at} refused the sign-in with code 135, whose meaning is not known.`, onlyOne, noSession],
  },
  {
    story: 'a FIN in place of a CONNACK',
    evidence: attempts(failedAt('auth')),
    cause: 'unknown-close',
    confidence: 'possible',
    sees: [
      `${at} closed the connection (FIN) after the sign-in was sent and gave no answer to it; 4096 bytes had come.`,
      onlyOne,
      noSession,
    ],
    runnersUp: ['x509-rejected possible', 'throttled possible', 'ip-filter possible'],
  },
  {
    story: 'a reset in place of a CONNACK',
    evidence: attempts(failedAt('auth', { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') })),
    cause: 'peer-reset',
    confidence: 'certain',
    sees: [
      `A TCP reset (RST) arrived while connecting (stage auth): read ECONNRESET ${hubAddress}:8883.`,
      'The other side had been silent for 12.0 s; 0 messages waited for an answer.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['port-blocked possible', 'throttled possible'],
  },
  {
    story: 'an answer that is not MQTT',
    evidence: attempts(
      failedAt('auth', { how: 'error', error: tlsError('MALFORMED_PACKET', 'Invalid header flag bits') }),
    ),
    cause: 'protocol-violation',
    confidence: 'certain',
    sees: [
      'The other side sent something that is not MQTT: MALFORMED_PACKET: Invalid header flag bits.',
      onlyOne,
      noSession,
    ],
    runnersUp: ['tls-interception possible'],
  },
  {
    story: 'an error that nobody has thought of',
    evidence: attempts(failedWith('tls', tlsError('ERR_SSL_INTERNAL_ERROR', 'internal error'))),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [
      'The connection was ended by this side (error, stage tls): ERR_SSL_INTERNAL_ERROR: internal error.',
      onlyOne,
      noSession,
    ],
  },
]

const firstRetry = (event: Parameters<typeof lost>[0], subscribed = true): Evidence =>
  evidenceOf({ ending: lost(event, subscribed), history: [past(90_000, event, subscribed)] })

const notOurs = 'MQTT 3.1.1 has no way to give a reason.'

const endings: readonly Expected[] = [
  {
    story: 'a keepalive that went unanswered',
    evidence: firstRetry({ by: 'us', how: 'timeout', reason: 'silence', silentMs: 91_500, inFlightPublishes: 1 }),
    cause: 'link-lost-keepalive',
    confidence: 'certain',
    sees: [
      'A keepalive ping was not answered; nothing had come from the hub for 1 min 32 s.',
      'No FIN and no RST came. 1 message waited for an answer; 2048 bytes had been sent and 4096 bytes received.',
      'The hub will notice after one and a half keepalive intervals and log 404104.',
      lasted,
    ],
    runnersUp: ['nat-idle-timeout possible', 'no-network possible', 'device-sleep possible'],
  },
  {
    story: 'a hub that heard no ping and said goodbye before our own timer ran out',
    evidence: firstRetry({ silentMs: 88_000, pingUnansweredMs: 28_000 }),
    cause: 'link-lost-keepalive',
    confidence: 'likely',
    sees: [
      'A keepalive ping was not answered; nothing had come from the hub for 1 min 28 s.',
      'Then the other side closed, as a hub does that hears nothing. 0 messages waited for an answer; 2048 bytes had been sent and 4096 bytes received.',
      'The hub will notice after one and a half keepalive intervals and log 404104.',
      lasted,
    ],
    runnersUp: ['nat-idle-timeout possible', 'no-network possible', 'device-sleep possible'],
  },
  {
    story: 'a session that TCP gave up',
    evidence: firstRetry({ by: 'network', how: 'timeout', error: systemError('ETIMEDOUT', 'read'), silentMs: 947_000 }),
    cause: 'link-lost-keepalive',
    confidence: 'certain',
    sees: [
      'TCP gave up (ETIMEDOUT) after nothing had come from the hub for 15 min 47 s.',
      'No FIN and no RST came. 0 messages waited for an answer; 2048 bytes had been sent and 4096 bytes received.',
      'The hub will notice after one and a half keepalive intervals and log 404104.',
      lasted,
    ],
    runnersUp: ['nat-idle-timeout possible', 'no-network possible', 'device-sleep possible'],
  },
  {
    story: 'a session whose network went away',
    evidence: firstRetry({ by: 'network', how: 'error', error: systemError('ENETDOWN', 'read') }),
    cause: 'no-network',
    confidence: 'certain',
    sees: [`The network went away under the session: read ENETDOWN ${hubAddress}:8883.`, lasted],
    runnersUp: ['hub-unreachable possible'],
  },
  {
    story: 'a reset in a session',
    evidence: firstRetry({ by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') }),
    cause: 'peer-reset',
    confidence: 'certain',
    sees: [
      `A TCP reset (RST) arrived in the session: read ECONNRESET ${hubAddress}:8883.`,
      'The other side had been silent for 12.0 s; 0 messages waited for an answer.',
      lasted,
    ],
    runnersUp: ['nat-idle-timeout possible', 'hub-upgrade-or-failover possible'],
  },
  {
    story: 'a write into a session that was already gone',
    evidence: firstRetry({ by: 'unknown', how: 'rst', error: systemError('EPIPE', 'write') }),
    cause: 'peer-reset',
    confidence: 'possible',
    sees: [
      `The connection was already gone when this device wrote to it in the session: write EPIPE ${hubAddress}:8883.`,
      'The other side had been silent for 12.0 s; 0 messages waited for an answer.',
      lasted,
    ],
    runnersUp: ['nat-idle-timeout possible', 'hub-upgrade-or-failover possible'],
  },
  {
    story: 'a new token',
    evidence: firstRetry({ by: 'us', how: 'goodbye', reason: 'renewal' }),
    cause: 'sas-renewal-expected',
    confidence: 'certain',
    sees: ['The session was ended on purpose, to sign in again with a new SAS token.', lasted],
    planned: true,
  },
  {
    story: 'a new certificate',
    evidence: evidenceOf({
      ending: lost({ by: 'us', how: 'goodbye', reason: 'renewal' }, true, {
        credential: { kind: 'x509', expiresAt: null },
      }),
      history: [past(90_000, { by: 'us', how: 'goodbye', reason: 'renewal' }, true)],
    }),
    cause: 'sas-renewal-expected',
    confidence: 'certain',
    sees: ['The session was ended on purpose, to sign in again with a new certificate.', lasted],
    planned: true,
  },
  {
    story: 'a first choice of protocol that is open again',
    evidence: {
      ...firstRetry({ by: 'us', how: 'goodbye', reason: 'renewal' }),
      protocolChanges: [{ from: 'mqtt-ws', to: 'mqtt', why: 'mqtt: port 8883 is open again' }],
    },
    cause: 'sas-renewal-expected',
    confidence: 'certain',
    sees: ['The session was ended on purpose, to sign in again over mqtt.', lasted],
    planned: true,
  },
  {
    story: 'a shutdown',
    evidence: firstRetry({ by: 'us', how: 'goodbye', reason: 'shutdown' }),
    cause: 'graceful-close',
    confidence: 'certain',
    sees: ['The recorder closed the connection because it was stopped.', lasted],
    planned: true,
  },
  {
    story: 'an application that closed its client',
    evidence: firstRetry({ by: 'application', how: 'goodbye' }),
    cause: 'graceful-close',
    confidence: 'certain',
    sees: ['The application closed its client.', lasted],
    planned: true,
  },
  {
    story: 'a run before this one that said goodbye',
    evidence: evidenceOf({ ending: { kind: 'goodbye', why: 'SIGTERM' } }),
    cause: 'graceful-close',
    confidence: 'certain',
    sees: ['The recorder was stopped (SIGTERM) and said goodbye.'],
    planned: true,
  },
  {
    story: 'a run before this one that was killed',
    evidence: evidenceOf({ ending: { kind: 'crash', rebooted: false } }),
    cause: 'app-crash',
    confidence: 'certain',
    sees: [
      'The previous run left no stop record.',
      'The device has not booted since, so only the process ended: it was killed, or it crashed.',
    ],
  },
  {
    story: 'a power cut',
    evidence: evidenceOf({ ending: { kind: 'crash', rebooted: true } }),
    cause: 'app-crash',
    confidence: 'certain',
    sees: [
      'The previous run left no stop record.',
      'The device has booted since, so it lost its power or was restarted.',
    ],
    firstSteps: ['Run `last -x | head` and `journalctl --list-boots` to see when the device went down and came up.'],
  },
  {
    story: 'a subscription that the hub refused',
    evidence: firstRetry({ by: 'us', how: 'goodbye', reason: 'methods', lastedMs: 30_000 }, false),
    cause: 'methods-dead',
    confidence: 'certain',
    sees: [
      'The subscription to direct methods was refused or not answered, so the recorder gave the connection up.',
      'The session had lasted 30.0 s.',
    ],
    runnersUp: ['hub-transient-5xx possible'],
  },
  {
    story: 'a subscription that was lost',
    evidence: firstRetry({ by: 'us', how: 'goodbye', reason: 'methods' }),
    cause: 'methods-dead',
    confidence: 'certain',
    sees: [
      'The subscription to direct methods was lost during the session, so the recorder gave the connection up.',
      lasted,
    ],
    runnersUp: ['hub-transient-5xx possible'],
  },
  {
    story: 'a packet that cannot be read',
    evidence: firstRetry({ how: 'error', error: tlsError('MALFORMED_PACKET', 'Invalid header flag bits') }),
    cause: 'protocol-violation',
    confidence: 'certain',
    sees: ['The other side sent something that is not MQTT: MALFORMED_PACKET: Invalid header flag bits.', lasted],
    runnersUp: ['tls-interception possible'],
  },
  {
    story: 'a DISCONNECT from the server',
    evidence: firstRetry({ how: 'goodbye' }),
    cause: 'protocol-violation',
    confidence: 'certain',
    sees: ['The other side sent DISCONNECT, which a server of MQTT 3.1.1 must not do.', lasted],
    runnersUp: ['tls-interception possible'],
  },
  {
    story: 'a lone FIN after a long session',
    evidence: firstRetry({}),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [`The other side closed the session without a word (FIN), with no message under way. ${notOurs}`, lasted],
    runnersUp: [
      'hub-upgrade-or-failover possible',
      'duplicate-device-id possible',
      'sas-expired possible',
      'throttled possible',
    ],
  },
  {
    story: 'a lone FIN upon a publish',
    evidence: firstRetry({ afterPublish: true }),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [`The other side closed the session without a word (FIN), just after a message was sent. ${notOurs}`, lasted],
    runnersUp: [
      'quota-exceeded possible',
      'illegal-topic possible',
      'hub-upgrade-or-failover possible',
      'throttled possible',
    ],
  },
  {
    story: 'FINs upon publishes, twice in a row',
    evidence: evidenceOf(
      after(past(90_000), past(3_000, { afterPublish: true }), past(2_000, { inFlightPublishes: 1 })),
    ),
    cause: 'quota-exceeded',
    confidence: 'possible',
    sees: [
      'The last 2 sessions were each closed without a word (FIN) just after a message was sent.',
      'The session had lasted 2.0 s.',
    ],
    runnersUp: ['illegal-topic possible', 'throttled possible'],
  },
  {
    story: 'a session that was taken over once',
    evidence: evidenceOf(after(past(600_000), past(4_000))),
    cause: 'duplicate-device-id',
    confidence: 'possible',
    sees: [
      'The last 2 sessions were accepted by the hub and closed again without a word (FIN), with no message under way, after 10 min 0 s, 4.0 s.',
      'In one of the short ones the hub had also answered the subscription, so it had not refused the device.',
      'The session had lasted 4.0 s.',
    ],
    runnersUp: ['hub-upgrade-or-failover possible', 'throttled possible'],
  },
  {
    story: 'a session that was taken over again and again',
    evidence: evidenceOf(after(past(600_000), past(4_000), past(3_500), past(250))),
    cause: 'duplicate-device-id',
    confidence: 'likely',
    sees: [
      'The last 4 sessions were accepted by the hub and closed again without a word (FIN), with no message under way, after 10 min 0 s, 4.0 s, 3.5 s, 250 ms.',
      'In 3 of the short ones the hub had also answered the subscription, so it had not refused the device.',
      'The session had lasted 250 ms.',
    ],
    runnersUp: ['hub-upgrade-or-failover possible', 'throttled possible'],
  },
  {
    story: 'a take-over that does not reach behind a session that ended otherwise',
    evidence: evidenceOf(after(past(4_000), past(4_000, { by: 'unknown', how: 'rst' }), past(3_000), past(3_000))),
    cause: 'duplicate-device-id',
    confidence: 'possible',
    sees: [
      'The last 2 sessions were accepted by the hub and closed again without a word (FIN), with no message under way, after 3.0 s, 3.0 s.',
      'In one of the short ones the hub had also answered the subscription, so it had not refused the device.',
      'The session had lasted 3.0 s.',
    ],
    runnersUp: ['hub-upgrade-or-failover possible', 'throttled possible'],
  },
  {
    story: 'a hub that closes each session before it has answered the subscription',
    evidence: evidenceOf(after(past(20, {}, false), past(25, {}, false), past(15, {}, false))),
    cause: 'unknown-close',
    confidence: 'possible',
    sees: [
      'The last 3 sessions were accepted and closed again without a word (FIN), after 20 ms, 25 ms, 15 ms, before the hub had answered the subscription.',
      'The session had lasted 15 ms.',
    ],
    runnersUp: ['duplicate-device-id possible', 'quota-exceeded possible', 'throttled possible'],
  },
  {
    story: 'a session that we gave up for a reason of our own',
    evidence: firstRetry({ by: 'us', how: 'goodbye', reason: 'abandoned' }),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [
      'The connection was ended by this side (goodbye, stage session): no error was reported.',
      'The recorder gave it up itself: abandoned.',
      lasted,
    ],
  },
  {
    story: 'a socket that closed without saying how',
    evidence: firstRetry({ by: 'unknown', how: 'error' }),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: [
      'The connection was ended by the other side or the network (error, stage session): no error was reported.',
      lasted,
    ],
    runnersUp: ['hub-upgrade-or-failover possible'],
  },
  {
    story: 'the very beginning',
    evidence: evidenceOf({ ended: false }),
    cause: 'unknown-close',
    confidence: 'unknown',
    sees: ['There was no session that could have been lost, and no attempt has failed yet.'],
  },
]

/** The whole verdict that is expected; only how to tell the runners-up apart is the rule's own affair. */
function whole(
  { cause: id, confidence, sees, runnersUp = [], firstSteps = [], evidence: { failed, cameBack } }: Expected,
  found: Verdict,
): Verdict {
  const cause = findCause(id)
  if (cause === undefined) throw new Error(`no cause ${id}`)
  const { host, port } = failed.at(-1) ?? cameBack ?? { host: 'HUB', port: 8883 }
  const named = (text: string): string => text.replaceAll('HUB:8883', `${host}:${port}`).replace(/\bHUB\b/g, host)
  const portal = cause.nextSteps.portal.map(named)
  const first = host === hub ? portal.findIndex(step => step.startsWith('In the portal')) : -1
  return {
    cause: id,
    confidence,
    title: cause.title,
    hubCodes: cause.hubCodes,
    evidence: sees,
    nextSteps: [
      ...firstSteps,
      ...cause.nextSteps.device.map(named),
      ...portal.map((step, at) =>
        at === first ? step.replace('In the portal', 'In the portal (portal.azure.com)') : step,
      ),
    ],
    docs: cause.docs.map(({ address }) => address),
    runnersUp: runnersUp.map((runnerUp, index) => {
      const [other = '', sure] = runnerUp.split(' ')
      return { cause: other, confidence: sure as Confidence, toDecide: found.runnersUp[index]?.toDecide ?? '' }
    }),
  }
}

for (const [place, stories] of Object.entries({ onTheRoad, inTls, atTheSignIn, endings })) {
  t.test(`the verdict ${place}`, async t => {
    for (const expected of stories) {
      const found = diagnose(expected.evidence)
      const { cause, planned = false } = expected
      t.strictSame(found, { verdict: whole(expected, found.verdict), planned }, `${expected.story}: ${cause}`)
    }
  })
}

const by = (protocol: Protocol, proxy: string | null = null) => ({ protocol, host: hub, port: 443, proxy })
const verdictOf = (story: Partial<Evidence>): Verdict => diagnose(evidenceOf(story)).verdict
const brief = ({ cause, confidence }: Verdict): string => `${cause} ${confidence}`

t.test('the cause that kept the device away longest is the verdict, and the others stand beside it', async t => {
  const verdict = verdictOf({
    ending: lost({ by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') }),
    failed: [
      timedOutAt('tcp', { answersForMs: 20_000 }),
      failedWith('dns', { name: 'Error', message: 'getaddrinfo EAI_AGAIN', code: 'EAI_AGAIN' }, { answersForMs: 200 }),
      failedWith(
        'dns',
        { name: 'Error', message: 'getaddrinfo EAI_AGAIN', code: 'EAI_AGAIN' },
        { answersForMs: 4_000 },
      ),
      failedWith('dns', { name: 'Error', message: 'getaddrinfo EAI_AGAIN', code: 'EAI_AGAIN' }, { answersForMs: 900 }),
    ],
  })
  t.equal(brief(verdict), 'hub-unreachable possible')
  t.strictSame(verdict.evidence, [
    `Nothing answered at ${where} within 10.0 s.`,
    '1 of the 4 failed attempts ended so, and answers for 20.0 s without a connection.',
    `3 attempts ended by dns-failure (5.1 s): Resolving ${hub} failed: getaddrinfo EAI_AGAIN.`,
    `The session before had ended after 1 min 30 s by peer-reset: A TCP reset (RST) arrived in the session: read ECONNRESET ${hubAddress}:8883.`,
  ])
  t.strictSame(
    verdict.runnersUp.map(({ cause, confidence }) => `${cause} ${confidence}`),
    ['dns-failure possible', 'port-blocked possible', 'no-network possible'],
  )
})

t.test('of two causes with an equal share the one with more attempts wins, and then the one seen earlier', async t => {
  const reset = failedAt('tls', { by: 'unknown', how: 'rst' }, { answersForMs: 4_000 })
  const silent = (answersForMs: number) => timedOutAt('tcp', { answersForMs })
  t.equal(verdictOf({ failed: [reset, silent(2_000), silent(2_000)] }).cause, 'hub-unreachable')
  t.equal(verdictOf({ failed: [reset, silent(4_000)] }).cause, 'peer-reset')
  t.equal(verdictOf({ failed: [silent(4_000), reset] }).cause, 'hub-unreachable')
})

t.test('of several findings of one cause the surest speaks', async t => {
  const { confidence, evidence } = verdictOf({
    failed: [
      failedWith('tcp', systemError('EHOSTUNREACH', 'connect'), { answersForMs: 100 }),
      failedWith('tcp', systemError('ENETUNREACH', 'connect'), { answersForMs: 200 }),
      failedWith('tcp', systemError('EHOSTUNREACH', 'connect'), { answersForMs: 300 }),
    ],
  })
  t.equal(confidence, 'certain')
  t.strictSame(evidence.slice(0, 2), [
    `Nothing could be sent to ${hubAddress}:8883: connect ENETUNREACH ${hubAddress}:8883.`,
    'All 3 failed attempts ended so, and answer for 600 ms without a connection.',
  ])
})

t.test('attempts that were not kept are not passed over in silence', async t => {
  const { evidence } = verdictOf({ failed: [timedOutAt('tcp'), timedOutAt('tcp')], failedCount: 200 })
  t.match(evidence[1], 'Both failed attempts (of 200; those in the middle were not kept) ended so')
})

t.test('what perhaps ended the session before is not told as if it were known', async t => {
  const failed = [timedOutAt('tls')]
  const last = (...sessions: PastSession[]) =>
    diagnose({ ...evidenceOf(after(...sessions)), failed, failedCount: 1 }).verdict.evidence.at(-1)
  t.match(
    last(past(600_000), past(4_000)),
    /^The session before had ended after 4\.0 s, perhaps by duplicate-device-id: /,
  )
  t.match(
    last(past(600_000), past(4_000), past(3_500), past(250)),
    /^The session before had ended after 250 ms by duplicate-device-id: /,
  )
})

t.test(
  'what kept the device away is the verdict, also after a restart or a renewal, and then nothing is planned',
  async t => {
    const failed = [timedOutAt('tls')]
    const endings: Evidence['ending'][] = [
      { kind: 'crash', rebooted: true },
      { kind: 'goodbye', why: 'SIGTERM' },
      { kind: 'start' },
      lost({ by: 'us', how: 'goodbye', reason: 'renewal' }),
    ]
    t.strictSame(
      endings.map(ending => {
        const { verdict, planned } = diagnose(evidenceOf({ ending, failed }))
        return { cause: verdict.cause, planned, last: verdict.evidence.at(-1) }
      }),
      [
        { cause: 'tls-timeout', planned: false, last: 'The previous run left no stop record.' },
        { cause: 'tls-timeout', planned: false, last: 'The recorder was stopped (SIGTERM) and said goodbye.' },
        { cause: 'tls-timeout', planned: false, last: 'There was no session before.' },
        {
          cause: 'tls-timeout',
          planned: false,
          last: 'The session before had ended after 1 min 30 s by sas-renewal-expected: The session was ended on purpose, to sign in again with a new SAS token.',
        },
      ],
    )
  },
)

t.test('an outage that goes on over a restart keeps its verdict until an attempt of this run fails', async t => {
  const carriedOver = verdictOf({ failed: [timedOutAt('dns')] })
  for (const ending of [
    { kind: 'crash', rebooted: false },
    { kind: 'goodbye', why: 'SIGTERM' },
  ] as const) {
    t.strictSame(diagnose(evidenceOf({ ending, carriedOver })), { verdict: carriedOver, planned: false })
    const { cause, evidence } = verdictOf({ ending, carriedOver, failed: [timedOutAt('tcp')] })
    t.equal(cause, 'hub-unreachable')
    t.equal(evidence.at(-1), 'Before the restart this outage was judged dns-failure (possible).')
  }
})

t.test('a verdict of another release is carried over as it is, and one of ours never above its ceiling', async t => {
  const foreign = { ...verdictOf({ failed: [timedOutAt('dns')] }), cause: 'invented-later' }
  const ending = { kind: 'crash', rebooted: false } as const
  t.strictSame(diagnose(evidenceOf({ ending, carriedOver: foreign })), { verdict: foreign, planned: false })
  const tooSure = { ...verdictOf({ failed: [refused(5)] }), confidence: 'certain' as const }
  t.equal(verdictOf({ ending, carriedOver: tooSure }).confidence, 'likely')
})

t.test('attempts that we broke off ourselves say nothing of the road', async t => {
  const brokenOff = failedAt('tls', { by: 'us', how: 'goodbye', reason: 'abandoned' }, { answersForMs: 60_000 })
  t.equal(verdictOf({ failed: [brokenOff, refused(3)] }).cause, 'hub-transient-5xx')
  t.equal(verdictOf({ ending: lost({ how: 'goodbye' }), failed: [brokenOff] }).cause, 'protocol-violation')
})

t.test('over AMQP the rules of MQTT are silent', async t => {
  t.equal(verdictOf({ protocol: 'amqp', failed: [cbsRefused(5)] }).cause, 'amqp-cbs-nonauth')
  const event = { protocol: 'amqp-ws', how: 'goodbye' } as const
  t.equal(verdictOf({ protocol: 'amqp-ws', ending: lost(event) }).cause, 'amqp-hub-close')
  t.equal(verdictOf({ protocol: 'mqtt-ws', failed: [refused(5, { protocol: 'mqtt-ws' })] }).cause, 'wrong-key')
})

t.test(
  'attempts over several protocols are each judged by their own, and the verdict says how it came back',
  async t => {
    const changes = [{ from: 'mqtt', to: 'amqp-ws', why: 'port 8883 is not answered' }] as const
    const failed = [timedOutAt('tcp'), cbsRefused(429, '', { protocol: 'amqp-ws', answersForMs: 5_000 })]
    const story = { protocol: 'mqtt', failed, protocolChanges: changes } as const
    const { cause, confidence, evidence } = verdictOf({ ...story, cameBack: by('amqp-ws') })
    t.equal(`${cause} ${confidence}`, 'throttled certain', 'as sure as AMQP makes it')
    t.equal(evidence.at(-1), 'It came back over amqp-ws in place of mqtt: port 8883 is not answered.')
    const open = verdictOf({ ...story, ended: false })
    t.equal(open.evidence.at(-1), 'Since then it is tried over amqp-ws in place of mqtt: port 8883 is not answered.')
    const back = verdictOf({ ...story, cameBack: by('mqtt') })
    t.notMatch(back.evidence.join(), /came back/, 'back where it was is nothing to tell')
  },
)

t.test(
  'a port is called blocked only when the other port of the same hub answers at a time that proves it',
  async t => {
    const refusal = failedWith('tcp', systemError('ECONNREFUSED', 'connect'))
    const reset = failedAt('tcp', { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'connect') })
    const silent = timedOutAt('tcp')
    const answered = httpRefused('upgrade', 503)
    const story = (failed: Evidence['failed'], more: Partial<Evidence> = {}): string =>
      brief(verdictOf({ failed: failed.map(each => ({ ...each, answersForMs: 1_000 })), ...more }))
    const overWs = { cameBack: by('mqtt-ws') }

    t.equal(story([refusal], overWs), 'port-blocked likely')
    t.equal(story([reset], overWs), 'port-blocked likely')
    t.equal(story([silent, silent], overWs), 'port-blocked likely')
    t.equal(story([silent, answered, silent]), 'port-blocked certain', 'silent also after the other had answered')
    t.equal(story([refusal, refusal], { cameBack: by('amqp-ws', 'http://proxy') }), 'port-blocked likely')

    t.equal(story([silent], overWs), 'port-blocked possible', 'the road may have come back in between')
    const silentWeb = timedOutAt('tcp', { protocol: 'mqtt-ws', port: 443 })
    t.equal(story([silent, silentWeb, silent], overWs), 'hub-unreachable likely', 'and here it has: 443 was silent too')
    t.equal(story([silent, silentWeb, answered, silent]), 'port-blocked certain')
    t.equal(story([refusal], { cameBack: by('amqp') }), 'port-refused certain', 'another port, and not 443')
    t.equal(story([refusal]), 'port-refused certain')
    t.equal(story([refusal], { cameBack: { ...by('mqtt-ws'), host: 'other' } }), 'port-refused certain')
    t.equal(story([{ ...refusal, gateway: true }], overWs), 'edge-gateway-unreachable certain')
    t.equal(story([{ ...refusal, protocol: 'mqtt-ws' }], overWs), 'port-refused certain', 'it was 443 itself')
  },
)

t.test('a device that the provisioning service has moved was away for that reason, and not for its key', async t => {
  const reassignedTo = 'new-hub.azure-devices.net'
  const moved = { reassignedTo }
  const refusals = [refused(5, moved), cbsRefused(401, '', moved), cbsRefused(404, '', moved)]
  for (const failed of refusals) {
    const verdict = verdictOf({ protocol: failed.protocol, failed: [failed], reassignedTo, credentialWorked: true })
    t.equal(brief(verdict), 'dps-reassigned likely')
    t.equal(verdict.evidence[1], `Then the provisioning service assigned the device anew, to ${reassignedTo}.`)
    t.equal(verdict.evidence.filter(sentence => sentence.includes('assigned')).length, 1, 'said once')
  }
  const gone = failedWith('dns', { name: 'Error', message: 'getaddrinfo ENOTFOUND', code: 'ENOTFOUND' }, moved)
  t.equal(brief(verdictOf({ failed: [gone], reassignedTo })), 'dps-reassigned likely')
  t.equal(
    brief(verdictOf({ ending: lost({}), reassignedTo })),
    'dps-reassigned likely',
    'also when the new hub took it at once',
  )

  // Near misses.
  t.equal(verdictOf({ failed: [refused(5)], reassignedTo: null }).cause, 'wrong-key')
  const later = verdictOf({ failed: [refused(5)], reassignedTo })
  t.equal(later.cause, 'wrong-key', 'the new hub refused it')
  t.match(later.evidence.at(-1), 'assigned the device anew in this time')
  t.equal(verdictOf({ failed: [timedOutAt('tcp', moved)], reassignedTo }).cause, 'hub-unreachable')
  t.equal(
    verdictOf({ ending: lost({ by: 'us', reason: 'renewal', how: 'goodbye' }), reassignedTo }).cause,
    'sas-renewal-expected',
  )
})

t.test(
  'while nobody says where to dial, or there is nothing to sign in with, that is why the device is away',
  async t => {
    const unauthorized = { name: 'UnauthorizedError', message: 'unauthorized' }
    const early = tlsError('CERT_NOT_YET_VALID', 'certificate is not yet valid')
    const told = (error: Parameters<typeof undialled>[1], clock: Partial<Evidence['clock']> = {}): Verdict =>
      diagnose(whoseClock({ synchronised: true, ...clock }, undialled('provisioning', error))).verdict
    t.strictSame(
      [
        told(unauthorized),
        told(null),
        told({ name: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' }),
        told(tlsError('SELF_SIGNED_CERT_IN_CHAIN', 'no trust')),
        told({ name: 'Error', message: 'getaddrinfo EAI_AGAIN', code: 'EAI_AGAIN' }),
        told({ name: 'Error', message: 'connect ENETUNREACH', code: 'ENETUNREACH' }),
        told(early),
        told(early, { plausible: false }),
      ].map(brief),
      [
        'dps-failure certain',
        'dps-failure likely',
        'dps-failure likely',
        'dps-failure likely',
        'dns-failure possible',
        'no-network certain',
        'dps-failure likely',
        'clock-skew certain',
      ],
    )
    t.match(told(unauthorized).nextSteps[0], 'Compare registration id, scope id and key')
    t.strictSame(told(unauthorized).evidence.slice(0, 2), [
      'The registration at the provisioning service failed: unauthorized.',
      onlyOne,
    ])

    const edge = { name: 'CredentialError', message: 'workload API: connect ENOENT /run/workload.sock', code: 'ENOENT' }
    const unarmed = verdictOf({ failed: [undialled('credential', edge)] })
    t.equal(brief(unarmed), 'credential-unavailable certain')
    t.match(unarmed.nextSteps[0], 'iotedge check')
    const file = { name: 'CredentialError', message: 'cannot read /etc/device.pem', code: 'EACCES' }
    t.match(verdictOf({ failed: [undialled('credential', file)] }).nextSteps[0], 'Check that the file exists')
  },
)

t.test('an SDK that stopped trying is the verdict when that took longer than what it had tried against', async t => {
  const sdkSaid = { name: 'NotConnectedError', message: 'gave up.' }
  const minuteMs = 60_000
  const failed = [timedOutAt('tcp', { answersForMs: 4 * minuteMs })]
  const ending = lost({ by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') })
  const story = { ending, failed, application: true, sdkSaid } as const

  const gaveUp = verdictOf({ ...story, ended: false, stoodStillMs: 90 * minuteMs })
  t.equal(brief(gaveUp), 'sdk-gave-up likely')
  t.strictSame(gaveUp.evidence, [
    'Nobody has dialled since for 1 h 30 min, although no attempt was being waited for.',
    'The SDK had told its application: NotConnectedError ("gave up.").',
    `1 attempt ended by hub-unreachable (4 min 0 s): Nothing answered at ${where} within 10.0 s.`,
    `The session before had ended after 1 min 30 s by peer-reset: A TCP reset (RST) arrived in the session: read ECONNRESET ${hubAddress}:8883.`,
  ])
  t.equal(
    brief(verdictOf({ ...story, stoodStillMs: 3 * minuteMs })),
    'hub-unreachable possible',
    'what it tried took longer',
  )
  const silent = { ...story, failed: [], sdkSaid: null, stoodStillMs: 5 * minuteMs }
  t.equal(brief(verdictOf(silent)), 'sdk-gave-up possible', 'and it never told anybody')
  t.equal(
    verdictOf({ ...silent, ending: lost({ by: 'application', how: 'goodbye' }) }).cause,
    'graceful-close',
    'who closed its client has not given up',
  )
  t.equal(verdictOf({ ...silent, ending: { kind: 'start' } }).cause, 'unknown-close', 'nor who never began')
  t.equal(verdictOf({ ...story, stoodStillMs: 0 }).cause, 'hub-unreachable')
})

t.test('the end of an application is told as that, and not as the end of the recorder', async t => {
  const ended = (ending: Evidence['ending']): Verdict => verdictOf({ ending, application: true })
  const crashed = ended({ kind: 'crash', rebooted: false })
  t.equal(brief(crashed), 'app-crash certain')
  t.match(crashed.evidence[0], 'The process of the application ended without a goodbye')
  t.match(ended({ kind: 'goodbye', why: 'exit 0' }).evidence[0], 'The application ended (exit 0) and said goodbye.')
})

t.test('an application that connects again and again is a take-over only when nothing else explains it', async t => {
  const storm = (count: number): Pick<Evidence, 'ending' | 'history'> =>
    after(...Array.from({ length: count }, () => past(12, {}, false)))
  t.equal(brief(verdictOf({ ...storm(8), application: true })), 'duplicate-device-id possible')
  t.equal(brief(verdictOf({ ...storm(3), application: true })), 'unknown-close possible', 'too few')
  t.equal(brief(verdictOf(storm(8))), 'unknown-close possible', 'ours subscribes, and was not answered')
  const publishing = after(...Array.from({ length: 8 }, () => past(12, { afterPublish: true }, false)))
  t.equal(verdictOf({ ...publishing, application: true }).cause, 'quota-exceeded')
})

t.test('the same evidence gives the same verdict, and looking at it does not change it', async t => {
  const story = evidenceOf({
    ...after(past(600_000), past(4_000), past(3_500)),
    failed: [refused(5), timedOutAt('tcp')],
  })
  const before = structuredClone(story)
  t.strictSame(diagnose(story), diagnose(structuredClone(story)))
  t.strictSame(story, before)
})

t.test('a clock that reads what no date can say does not stop a verdict', async t => {
  const { evidence } = diagnose(whoseClock({ wallMs: Number.NaN, plausible: false }, refused(5))).verdict
  t.match(evidence[1], 'The clock of this device read an impossible time, which cannot be true')
})

t.test('a session that ended before any of this is kept is judged by its own end', async t => {
  const { cause } = verdictOf({ ending: lost(), history: [] })
  t.equal(cause, 'unknown-close')
})

t.test('a device that was off for hours and then failed one lookup was away because it was off', async t => {
  const hourMs = 3_600_000
  const ending = { kind: 'crash', rebooted: true } as const
  const failed = [{ ...timedOutAt('dns'), answersForMs: 800 }]
  const off = verdictOf({ ending, failed, beforeStartMs: 6 * hourMs })
  t.equal(off.cause, 'app-crash')
  t.match(off.evidence.at(-1), /6 h 0 min of the outage had passed before this run began; 1 attempt failed/)
  t.equal(verdictOf({ ending, failed, beforeStartMs: 500 }).cause, 'dns-failure', 'most of it was the lookup')
  t.equal(
    verdictOf({ ending, failed, beforeStartMs: 6 * hourMs, ended: false }).cause,
    'dns-failure',
    'what keeps it away now',
  )
  const stopped = diagnose(evidenceOf({ ending: { kind: 'goodbye', why: 'SIGTERM' }, failed, beforeStartMs: hourMs }))
  t.match(stopped, { planned: true, verdict: { cause: 'graceful-close' } })
})

t.test('closes that are weeks apart are no second client', async t => {
  const weekMs = 7 * 86_400_000
  const sessions = [past(90_000), past(3_000), past(3_000)]
  const apart = sessions.map((session, index) => ({
    ...session,
    startedMs: session.startedMs + index * weekMs,
    endedMs: session.endedMs + index * weekMs,
  }))
  t.equal(verdictOf(after(...sessions)).cause, 'duplicate-device-id')
  t.equal(verdictOf(after(...apart)).cause, 'unknown-close')
})

t.test('one address that refuses and one that does not answer are not a port that is refused', async t => {
  const met = (code: string) => ({ name: 'Error', message: code, code, syscall: 'connect' })
  const both = (...codes: string[]) =>
    verdictOf({ failed: [failedWith('tcp', { name: 'AggregateError', message: '', errors: codes.map(met) })] }).cause
  t.equal(both('ECONNREFUSED', 'ENETUNREACH'), 'port-refused')
  t.not(both('ETIMEDOUT', 'ECONNREFUSED'), 'port-refused')
})

t.test('a host that has run out of descriptors has no dead resolver', async t => {
  t.not(
    verdictOf({ failed: [failedWith('dns', { name: 'Error', message: 'EMFILE', code: 'EMFILE' })] }).cause,
    'dns-failure',
  )
})

t.test('a verdict names the roots and the portal of the cloud whose hub was dialled', async t => {
  const told = (host: string): readonly (string | undefined)[] => {
    const untrusted = failedWith('tls', tlsError('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'no trust'), {
      host,
      certificate: certificate({ knownRoot: true }),
    })
    const { evidence, nextSteps } = verdictOf({ failed: [untrusted] })
    return [evidence.find(each => each.includes('cloud chain')), nextSteps.at(-1)?.split(',')[0]]
  }
  t.strictSame(told('pump-hub.azure-devices.us'), [
    'Hubs of the US government cloud chain to DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017.',
    'In the portal (portal.azure.us)',
  ])
  t.strictSame(told('pump-hub.azure-devices.cn'), [
    'Hubs of the China cloud chain to DigiCert Global Root CA.',
    'In the portal (portal.azure.cn)',
  ])
  t.strictSame(told('hub.plant.example'), [undefined, 'In the portal'])
})
