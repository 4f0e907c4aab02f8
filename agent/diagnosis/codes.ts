/** IoT Hub's error codes, as its log, the portal and its callers show them. */

export type HubCode = Readonly<{
  /** Six digits; `xxx` at the end stands for any three. */
  code: string
  /** Microsoft's name for it. */
  name: string
  seenBy: string
  means: string
}>

const log = 'the Connections log of the hub, in the portal'
const caller = 'the program that asked the hub for something'
const both = 'the Connections log of the hub, and the device where its protocol can carry it'
const device = 'the device, and the log of the hub'

export const codes: readonly HubCode[] = [
  {
    code: '400xxx',
    name: 'Bad request',
    seenBy: log,
    means: 'The hub did not understand, or does not allow, what the client sent.',
  },
  {
    code: '400001',
    name: 'InvalidProtocolVersion',
    seenBy: both,
    means: 'The client asked for a version of the protocol or the interface that this hub does not have.',
  },
  {
    code: '400004',
    name: 'ArgumentInvalid',
    seenBy: caller,
    means: 'Something in the request is not allowed, such as a client id or a field.',
  },
  {
    code: '400027',
    name: 'ConnectionForcefullyClosedOnNewConnection',
    seenBy: log,
    means: 'A second client signed in under the same identity, and the hub closed the first.',
  },
  {
    code: '400029',
    name: 'ConnectionForcefullyClosedOnFaultInjection',
    seenBy: log,
    means: 'The service renewed one of its nodes and closed the connections on it. Coming back at once works.',
  },
  {
    code: '400030',
    name: 'ConnectionRejectedOnFaultInjection',
    seenBy: log,
    means: 'The service is renewing a node and takes no new connections there for a moment.',
  },
  {
    code: '401000',
    name: 'GenericUnauthorized',
    seenBy: caller,
    means: 'The request was not authorized, and no more is said.',
  },
  {
    code: '401001',
    name: 'IotHubNotFound',
    seenBy: caller,
    means: 'There is no hub of this name.',
  },
  {
    code: '401002',
    name: 'IotHubUnauthorizedAccess',
    seenBy: device,
    means: 'The credential does not give access to this hub: wrong key, token, certificate or address.',
  },
  {
    code: '401003',
    name: 'IotHubUnauthorized',
    seenBy: both,
    means:
      'The credential was refused or has ended. Followed by 404104 and a new connection it is a token that expired and was renewed, which is harmless.',
  },
  {
    code: '401100',
    name: 'SystemModuleModifyUnauthorizedAccess',
    seenBy: caller,
    means: 'A system module of IoT Edge must not be changed in this way.',
  },
  {
    code: '403001',
    name: 'IotHubSuspended',
    seenBy: both,
    means: 'The hub or its subscription is suspended. Ask whoever pays for it.',
  },
  {
    code: '403002',
    name: 'IotHubQuotaExceeded',
    seenBy: both,
    means: 'The hub has had all the messages its tier allows for the day; it takes more from 00:00 UTC.',
  },
  {
    code: '403004',
    name: 'DeviceMaximumQueueDepthExceeded',
    seenBy: caller,
    means: 'Fifty messages are already waiting for this device. It must fetch them, or they must be purged.',
  },
  {
    code: '403005',
    name: 'IotHubMaxCbsTokenExceeded',
    seenBy: log,
    means: 'Too many tokens were handed over on one AMQP connection.',
  },
  {
    code: '403006',
    name: 'DeviceMaximumActiveFileUploadLimitExceeded',
    seenBy: 'the device, when it asks for an upload',
    means: 'Ten uploads of this device were begun and never reported as finished.',
  },
  {
    code: '403007',
    name: 'DeviceMaximumQueueSizeExceeded',
    seenBy: caller,
    means: 'The messages waiting for this device are too large together.',
  },
  {
    code: '403010',
    name: 'OperationNotAvailableInCurrentTier',
    seenBy: caller,
    means: 'The tier of the hub lacks this feature; direct methods, twins and messages to devices need Standard.',
  },
  {
    code: '403012',
    name: 'DeviceDisabled',
    seenBy: log,
    means: 'The identity is disabled in the hub.',
  },
  {
    code: '404001',
    name: 'DeviceNotFound',
    seenBy: caller,
    means: 'The hub has no such device, or it is disabled.',
  },
  {
    code: '404012',
    name: 'IotHubFailingOver',
    seenBy: caller,
    means: 'The hub is moving to its paired region. Wait for it.',
  },
  {
    code: '404102',
    name: 'DeviceNotOnline',
    seenBy: caller,
    means: 'The same as 404103; some lists print this number.',
  },
  {
    code: '404103',
    name: 'DeviceNotOnline',
    seenBy: caller,
    means: 'A direct method was called, and the device is offline or has no listener for methods.',
  },
  {
    code: '404104',
    name: 'DeviceConnectionClosedRemotely',
    seenBy: log,
    means:
      'The hub found the connection gone. It says that the hub noticed, and nothing about the reason: lost network, reset, crash, power cut, or a token that ended all look so.',
  },
  {
    code: '409001',
    name: 'DeviceAlreadyExists',
    seenBy: caller,
    means: 'Somebody tried to register a device that is already there. It has nothing to do with connections.',
  },
  {
    code: '409002',
    name: 'LinkCreationConflict',
    seenBy: log,
    means:
      'A second AMQP link was opened under one identity. Often only the echo of a 404104, when a device comes back before the hub has given up its old connection; if not, there are two clients.',
  },
  {
    code: '412001',
    name: 'PreconditionFailed',
    seenBy: caller,
    means: 'Something was changed by two programs at once (ETag). Read it again and repeat the change.',
  },
  {
    code: '412002',
    name: 'DeviceMessageLockLost',
    seenBy: 'the device, over AMQP or HTTPS',
    means: 'A message was confirmed later than a minute after it came, or after a reconnection. It will come again.',
  },
  {
    code: '413001',
    name: 'MessageTooLarge',
    seenBy: device,
    means: 'A message is over 256 KB. Split it, or upload a file.',
  },
  {
    code: '429000',
    name: 'GenericTooManyRequests',
    seenBy: both,
    means: 'Too many requests; the sender must slow down.',
  },
  {
    code: '429001',
    name: 'ThrottlingException',
    seenBy: both,
    means: 'The hub gets more in a second than its tier and units take.',
  },
  {
    code: '429002',
    name: 'ThrottleBacklogLimitExceeded',
    seenBy: log,
    means: 'What waited because of throttling became too much, and the hub hung up.',
  },
  {
    code: '429003',
    name: 'ThrottlingBacklogTimeout',
    seenBy: log,
    means: 'What waited because of throttling waited too long.',
  },
  {
    code: '429005',
    name: 'DeviceThrottlingLimitExceeded',
    seenBy: log,
    means: 'This one device sends more in a second than one device may.',
  },
  {
    code: '499000',
    name: 'ClientClosedRequest',
    seenBy: log,
    means: 'The one who asked hung up before the answer was there.',
  },
  {
    code: '500001',
    name: 'ServerError',
    seenBy: device,
    means: 'The service failed inside. It usually passes by itself.',
  },
  {
    code: '500008',
    name: 'GenericTimeout',
    seenBy: log,
    means: 'The service did not finish in time, for example a sign-in.',
  },
  {
    code: '503001',
    name: 'ServiceUnavailable',
    seenBy: device,
    means: 'The service cannot serve at the moment.',
  },
  {
    code: '503003',
    name: 'PartitionNotFound',
    seenBy: caller,
    means: 'A part of the service moved. Repeat the request; newer lists no longer name this code.',
  },
  {
    code: '503005',
    name: 'ServerBusy',
    seenBy: device,
    means: 'The service has too much to do at the moment.',
  },
  {
    code: '503006',
    name: 'IotHubRestoring',
    seenBy: caller,
    means: 'The hub is being restored after a failover. Wait for it.',
  },
  {
    code: '503008',
    name: 'ReceiveLinkOpensThrottled',
    seenBy: 'the device, over AMQP',
    means: 'Receiving links are opened too often; the device must slow down.',
  },
  {
    code: '503101',
    name: 'ConnectionUnavailable',
    seenBy: caller,
    means: 'The service could not reach its own connection to the device. Repeat the request.',
  },
  {
    code: '503102',
    name: 'DeviceUnavailable',
    seenBy: caller,
    means: 'The service could not reach the device at that moment. Repeat the request.',
  },
  {
    code: '504101',
    name: 'GatewayTimeout',
    seenBy: caller,
    means: 'A direct method reached the device, as it seemed, and was not answered in time.',
  },
]
