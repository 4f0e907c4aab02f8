import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { catalogue, findCause } from '../../agent/diagnosis/catalogue.js'
import { type Cause, ceilingFor, families } from '../../agent/diagnosis/cause.js'
import { codes } from '../../agent/diagnosis/codes.js'
import { atMost } from '../../agent/diagnosis/confidence.js'
import { pages } from '../../agent/diagnosis/pages.js'
import type { Confidence } from '../../agent/evidence/episode.js'

const folder = 'agent/diagnosis/causes'
const files = readdirSync(folder).map(file => ({
  id: file.replace(/\.ts$/, ''),
  text: readFileSync(`${folder}/${file}`, 'utf8'),
}))

t.test('every file of a cause is in the catalogue, once and under the name of the file', async t => {
  t.strictSame(catalogue.map(({ id }) => id).sort(), files.map(({ id }) => id).sort())
  t.ok(catalogue.every(({ id }) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)))
})

t.test('every cause that a rule names beside its own can be explained', async t => {
  const named = files.flatMap(({ id, text }) =>
    [...text.matchAll(/maybe\(\s*'([^']+)'/g)].map(match => ({ id, named: match[1] ?? '' })),
  )
  t.ok(named.length > 20, `${named.length} names were found`)
  t.strictSame(
    named.filter(each => findCause(each.named) === undefined),
    [],
  )
  t.strictSame(
    named.filter(each => each.id === each.named),
    [],
    'no cause is its own runner-up',
  )
  t.strictSame(
    named.filter(each => findCause(each.named)?.ceiling.mqtt === 'none'),
    [],
    'nor one that no device can see',
  )
})

t.test('every code that a cause names has a text, every text is found once, and no code is a stranger', async t => {
  const known = codes.map(({ code }) => code)
  t.strictSame(
    catalogue.flatMap(({ hubCodes }) => hubCodes).filter(code => !known.includes(code)),
    [],
  )
  t.equal(new Set(known).size, known.length)
  t.strictSame(
    codes.filter(({ code }) => !/^\d{3}(\d{3}|xxx)$/.test(code)),
    [],
  )
  t.strictSame(
    codes
      .filter(({ means, device, log }) => ![means, device, log].every(text => /^[A-Za-z0-9][ -~]+[.]$/.test(text)))
      .map(({ code }) => code),
    [],
  )
  t.ok(codes.every(({ name, seenBy }) => name !== '' && seenBy !== ''))
})

t.test('every cause tells a technician what each side sees, what it means and what to do', async t => {
  const sentences = ({ title, meaning, sees, tells, nextSteps }: Cause) => [
    meaning,
    ...Object.values(sees),
    ...Object.values(tells),
    ...nextSteps.device,
    ...nextSteps.portal,
    `${title}.`,
  ]
  const poor = catalogue.filter(
    cause =>
      !families.includes(cause.family) ||
      cause.nextSteps.device.length === 0 ||
      cause.nextSteps.portal.length === 0 ||
      cause.docs.length === 0 ||
      // Serial consoles know ASCII only.
      !sentences(cause).every(sentence => /^[A-Za-z0-9][ -~]+[.?)`]$/.test(sentence)),
  )
  t.strictSame(
    poor.map(({ id }) => id),
    [],
  )
})

/** As Microsoft's lists name them, and 401010, which people quote and no list has. */
const numbers = `400001 400004 400023 400027 400029 400030 401000 401001 401002 401003 401004 401010 401100 403001 403002
  403004 403005 403006 403007 403010 403011 403012 404001 404012 404102 404103 404104 409001 409002 412001 412002 413001 429000
  429001 429002 429003 429005 499000 500001 500008 503001 503003 503004 503005 503006 503008 503101 503102 504101`

t.test('every code that somebody may meet is explained', async t => {
  t.strictSame(
    codes.map(({ code }) => code).filter(code => !code.endsWith('xxx')),
    numbers.split(/\s+/),
  )
})

/** Whatever is known to keep a device away, and what people take for it. */
const known = `amqp-cbs-nonauth amqp-hub-close app-crash basic-tier-operation captive-portal cbs-timeout client-id-rejected
  clock-skew config-invalid connack-timeout credential-unavailable device-already-exists device-deleted device-disabled
  device-not-online device-sleep dns-failure dps-failure dps-reassigned duplicate-device-id edge-gateway-unreachable etag
  event-loop-stall file-upload-limit gateway-timeout graceful-close hub-suspended hub-transient-5xx hub-unreachable
  hub-upgrade-or-failover illegal-topic ip-filter ip-pinned-or-stale-dns ipv6-only keepalive-too-long link-lost-keepalive
  lock-lost message-too-large methods-dead mqtt-qos2 nat-idle-timeout no-network partition-not-found peer-reset port-blocked
  port-refused protocol-version protocol-violation proxy-required puback-timeout public-access-disabled queue-depth
  quota-exceeded sas-expired sas-renewal-expected sdk-gave-up sdk-outdated server-certificate-invalid throttled tls-closed
  tls-interception tls-root-missing tls-timeout tls-version-or-cipher too-many-subscriptions unknown-close wrong-hub-hostname
  wrong-key x509-rejected`

t.test('a cause is never taken out or renamed: records and scripts know it by its id', async t => {
  t.strictSame(catalogue.map(({ id }) => id).sort(), known.split(/\s+/))
})

t.test('only pages of the documentation of Microsoft are named', async t => {
  for (const { title, address } of Object.values(pages)) {
    t.match(address, /^https:\/\/learn\.microsoft\.com\/azure\/(iot|iot-hub|iot-dps|iot-edge)\/[a-z0-9-]+$/, title)
  }
})

t.test('only what is done on purpose is planned', async t => {
  t.strictSame(
    catalogue.filter(({ planned }) => planned).map(({ id }) => id),
    ['graceful-close', 'sas-renewal-expected'],
  )
})

t.test('a device is never surer than it can be', async t => {
  const ceilings = (['certain', 'likely', 'possible', 'none'] as const).map(ceiling =>
    (['certain', 'likely', 'possible', 'unknown'] as const).map(
      (confidence): Confidence => atMost(confidence, ceiling),
    ),
  )
  t.strictSame(ceilings, [
    ['certain', 'likely', 'possible', 'unknown'],
    ['likely', 'likely', 'possible', 'unknown'],
    ['possible', 'possible', 'possible', 'unknown'],
    ['unknown', 'unknown', 'unknown', 'unknown'],
  ])
})

t.test('what no device can see has no rules, and MQTT tells less of throttling than AMQP', async t => {
  const ruled = catalogue.filter(({ fromAttempt, fromEnding }) => fromAttempt !== undefined || fromEnding !== undefined)
  t.strictSame(
    ruled.filter(({ ceiling }) => ceiling.mqtt === 'none' || ceiling.amqp === 'none'),
    [],
  )
  const throttled = findCause('throttled')
  t.strictSame(
    (['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const).map(protocol => throttled && ceilingFor(throttled, protocol)),
    ['possible', 'possible', 'certain', 'certain'],
  )
})

t.test('where AMQP or a service says the reason itself, a device may be surer than where it has to guess', async t => {
  const ceilings = (id: string): string => {
    const cause = findCause(id)
    return `${id}: ${cause?.ceiling.mqtt}, ${cause?.ceiling.amqp}`
  }
  t.strictSame(
    [
      ...['amqp-cbs-nonauth', 'amqp-hub-close', 'basic-tier-operation', 'cbs-timeout', 'credential-unavailable'],
      ...['dps-failure', 'dps-reassigned', 'hub-suspended', 'message-too-large', 'partition-not-found'],
      ...['public-access-disabled', 'sdk-gave-up', 'port-blocked', 'proxy-required', 'captive-portal', 'sas-expired'],
      ...['x509-rejected', 'duplicate-device-id', 'device-deleted', 'device-disabled', 'wrong-key'],
    ].map(ceilings),
    [
      'amqp-cbs-nonauth: likely, likely',
      'amqp-hub-close: likely, likely',
      'basic-tier-operation: possible, possible',
      'cbs-timeout: certain, certain',
      'credential-unavailable: certain, certain',
      'dps-failure: certain, certain',
      'dps-reassigned: likely, likely',
      'hub-suspended: possible, certain',
      'message-too-large: certain, certain',
      'partition-not-found: none, none',
      'public-access-disabled: likely, likely',
      'sdk-gave-up: certain, certain',
      'port-blocked: certain, certain',
      'proxy-required: certain, certain',
      'captive-portal: certain, certain',
      'sas-expired: certain, certain',
      'x509-rejected: likely, likely',
      'duplicate-device-id: likely, likely',
      'device-deleted: possible, possible',
      'device-disabled: possible, possible',
      'wrong-key: likely, likely',
    ],
  )
})

t.test('what fits everything comes last', async t => {
  t.equal(catalogue.at(-1)?.id, 'unknown-close')
})
