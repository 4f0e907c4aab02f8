/** Keys, tokens and signatures of Azure. */
import { base64, base64url, digit, dot, equals, isOf, lower, tilde } from '../characters.js'
import type { Kind } from '../kind.js'
import { named } from '../named.js'
import { identifiable, prefixed } from '../shaped.js'
import { isPlaceholder } from '../values.js'

const signatureOf = base64url | base64 | equals | dot | tilde

/** `sig=11` in a kernel's line is the number of a signal, and evidence. */
const isSignal = (value: string): boolean => /^(?:\d{1,3}|SIG[A-Z0-9]{2,10})$/.test(value)

const sasSignature: Kind = {
  kind: 'sas-signature',
  anchors: ['sig='],
  find(page, _start, at) {
    const end = Math.min(page.runEnd(at, signatureOf), at + 1_024)
    return isPlaceholder(page.text, at, end) || isSignal(page.text.slice(at, Math.min(end, at + 16)))
      ? null
      : { start: at, end }
  },
}

/** Beside its name in JSON or in a table. */
const sasSignatureField = named('sas-signature', ['signature', 'sas signature'], {
  strictness: 'strict',
  wholeWord: true,
})

const functionCode: Kind = {
  kind: 'azure-function-key',
  anchors: ['?code=', '&code='],
  find(page, _start, at) {
    const end = page.runEnd(at, base64url | base64 | equals)
    return end - at >= 40 && end - at <= 128 ? { start: at, end } : null
  },
}

/** Of an application that is registered with Microsoft Entra: `Q~` after its first four characters. */
const clientSecret: Kind = {
  kind: 'azure-client-secret',
  anchors: ['q~'],
  find(page, at, end) {
    const { text } = page
    const of = base64url | dot | tilde
    const start = at - 4
    if (text.slice(at, end) !== 'Q~' || start < 0 || !isOf(text, at - 1, digit) || isOf(text, start - 1, of))
      return null
    const stop = page.runEnd(start, of)
    return stop - end >= 30 && stop - end <= 40 ? { start, end: stop } : null
  },
}

export const azure: readonly Kind[] = [
  sasSignature,
  sasSignatureField,
  named(
    'shared-access-key',
    ['shared access key', 'shared secret value', 'primary key', 'secondary key', 'symmetric key', 'device key'],
    {
      strictness: 'opaque',
      of: signatureOf,
    },
  ),
  sharedAccessKeyField('shared-access-key', 'sharedaccesskey='),
  sharedAccessKeyField('account-key', 'accountkey='),
  named('account-key', ['account key', 'storage key'], { strictness: 'opaque', of: signatureOf }),
  named('instrumentation-key', ['instrumentation key'], { strictness: 'strict' }),
  named('subscription-key', ['subscription key', 'functions key', 'aeg sas key', 'host key'], { strictness: 'strict' }),
  functionCode,
  clientSecret,
  identifiable('azure-iot-key', ['AIoT'], 33, 6),
  identifiable('azure-service-bus-key', ['+ASb', '+AEh', '+ARm'], 33, 6),
  identifiable('azure-cache-key', ['AzCa'], 33, 6),
  identifiable('azure-event-grid-key', ['AZEG'], 33, 6),
  identifiable('azure-storage-key', ['+ASt'], 76, 6),
  identifiable('azure-cosmos-key', ['ACDb'], 76, 6),
  identifiable('azure-batch-key', ['+ABa'], 76, 6),
  identifiable('azure-management-key', ['APIM'], 76, 6),
  identifiable('azure-learning-key', ['+AMC'], 76, 6),
  identifiable('azure-registry-key', ['+ACR'], 42, 6),
  identifiable('azure-search-key', ['AzSe'], 42, 6),
  identifiable('azure-function-key', ['AzFu'], 44, 6),
  identifiable('azure-devops-token', ['AZDO'], 76, 4),
  identifiable('azure-annotated-key', ['JQQJ9'], 52, 27),
  prefixed('databricks-token', ['dapi'], { of: digit | lower, min: 32, wholeWord: true }),
]

/** In a connection string: whatever stands there is one, as short as it may be. */
function sharedAccessKeyField(kind: string, anchor: string): Kind {
  return {
    kind,
    anchors: [anchor],
    find(page, _start, at) {
      const end = Math.min(page.runEnd(at, signatureOf), at + 1_024)
      return isPlaceholder(page.text, at, end) ? null : { start: at, end }
    },
  }
}
