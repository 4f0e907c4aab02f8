/** An HTTP answer where Node gives none: to a request for an upgrade or a tunnel. */

import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { finish } from './pipe.js'

/** Status and headers without a body, then FIN. */
export function answerBare(
  request: IncomingMessage,
  socket: Duplex,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  // It is declared for sockets, and is given what a server of ours has accepted.
  response.assignSocket(socket as Socket)
  response.once('finish', () => {
    response.detachSocket(socket as Socket)
    finish(socket)
  })
  response.writeHead(status, { ...headers, 'content-length': 0, connection: 'close' }).end()
}
