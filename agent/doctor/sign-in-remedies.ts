/** What to try where a sign-in did not come to its end, by how far it came: a key is to blame for few of the ways in which one can fail. */
import type { ClosedEvent, WireEvent } from '../../transports/wire-event.js'

const keys = [
  'In the portal, open the device: it must exist and be enabled; compare its keys.',
  'Run `hubrec explain 401003` for what each refusal means.',
]
const later = [
  'The hub is there and takes nobody in at the moment: ask again in a few minutes.',
  'In the portal, look at Service Health, and at the quota and the throttling of the hub; `hubrec explain hub-transient-5xx` says more.',
]

export function whenRefused({
  step,
  code,
}: Pick<Extract<WireEvent, { type: 'refused' }>, 'step' | 'code'>): readonly string[] {
  switch (step) {
    case 'proxy':
      return whenProxyRefuses(code)
    case 'upgrade':
      return [
        'WebSocket to the hub is refused on the road, or by the hub: have it let through, or set `connection.protocol` to `mqtt` where port 8883 is open.',
      ]
    case 'connack':
      if (code === 1)
        return ['The hub does not speak this version of the protocol: run `hubrec explain protocol-version`.']
      if (code === 2)
        return [
          'Compare DeviceId and ModuleId with the portal, letter for letter: `hubrec explain client-id-rejected`.',
        ]
      return code === 3 ? later : keys
    case 'cbs':
      return code === 429 || code >= 500 ? later : keys
  }
}

function whenProxyRefuses(code: number): readonly string[] {
  if (code === 407)
    return [
      'The proxy wants a user and a password: put them as `USER:PASSWORD` into a file, and its path into `connection.proxyCredentialsFile`.',
    ]
  if (code === 403 || code === 405)
    return ['The proxy forbids the way to the hub: have its name and port 443 allowed there.']
  return [
    'The proxy does not reach the hub: ask whoever runs it whether it finds the name of the hub, and may connect to its port 443.',
    'Where the hub can be reached without it, take it out of `connection.proxy` and HTTPS_PROXY, or name the hub in NO_PROXY.',
  ]
}

export function whenClosed({ stage, how }: Pick<ClosedEvent, 'stage' | 'how'>): readonly string[] {
  switch (stage) {
    case 'dns':
      return ['The name led nowhere: do what `hub-name` and `resolvers` say.']
    case 'tcp':
      return ['The port took no connection: do what the check of its port (`tcp-...`) says.']
    case 'tls':
      return ['TLS did not come about: do what the check of its certificate (`tls-...`) says.']
    case 'upgrade':
      return [
        'The WebSocket was not opened: have it let through, or set `connection.protocol` to `mqtt` where port 8883 is open.',
      ]
    case 'auth':
      return how === 'timeout'
        ? [
            'The hub took the connection and does not answer the sign-in: ask again in a few minutes, and look at Service Health; `hubrec explain connack-timeout` says more.',
          ]
        : [
            'The hub, or something on the road, ended the connection in place of an answer: `hubrec explain tls-closed` and `hubrec explain peer-reset` say more.',
          ]
    case 'session':
      return [
        'The hub let this device in and ended it again: another client may have the same identity, `hubrec explain duplicate-device-id` says how to find it.',
      ]
  }
}

export const whenNotSubscribed = [
  'Look at the tier of the hub: methods need Standard.',
  'Ask again in a minute; `hubrec explain methods-dead` says more.',
]
