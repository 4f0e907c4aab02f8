/**
 * The control socket: a running daemon answers the commands of its host over HTTP on a unix socket (mode 0660),
 * and holding it is how a second daemon on the same state is kept away.
 */
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { resolve as resolvePath } from 'node:path'
import { AgentError } from './errors.js'
import { listen, listenAt } from './unix-socket.js'

/** What may be asked: `GET /<name>?<what is said with it>` is answered with the function's JSON. */
export type Questions = Readonly<Record<string, (said: URLSearchParams) => Promise<unknown>>>

export interface ControlSocket {
  /** Until it is called, questions get 503. */
  answer(questions: Questions): void
  close(): Promise<void>
}

/**
 * Keeps a second daemon off the same state, whatever sockets it is configured with: an abstract socket named by the
 * directory's real path, which the kernel gives to one process and takes back when that ends, however it ends.
 *
 * @throws AgentError `ALREADY_RUNNING`
 */
export async function lockState(stateDir: string): Promise<{ release(): void }> {
  const path = await realpath(stateDir).catch(() => resolvePath(stateDir))
  const name = createHash('sha256').update(path).digest('hex').slice(0, 32)
  const server = createTcpServer(socket => socket.destroy())
  server.on('error', notTaken)
  await listen(server, `\0hubrec-${name}`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new AgentError('ALREADY_RUNNING', `another hubrec writes to ${stateDir}`)
  })
  server.unref()
  return { release: () => void server.close() }
}

/** One that could not be taken, for want of descriptors perhaps, is no reason to end: whoever asked asks again. */
const notTaken = (): void => undefined

const answerMs = 5_000
const answerBytesMax = 4 << 20

/**
 * Takes the socket, also over the remains of a daemon that died.
 *
 * @throws as `listenAt` does
 */
export async function claimControlSocket(path: string): Promise<ControlSocket> {
  let questions: Questions | null = null
  const server = createServer((asked, response) => {
    const [name = '', said] = (asked.url ?? '').slice(1).split('?', 2)
    const question = questions && Object.hasOwn(questions, name) ? questions[name] : undefined
    const respond = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (!question) respond(questions ? 404 : 503, { message: questions ? `unknown question "${name}"` : 'starting' })
    else {
      question(new URLSearchParams(said)).then(
        answer => respond(200, answer),
        (error: unknown) => respond(500, { message: error instanceof Error ? error.message : String(error) }),
      )
    }
  })
  server.on('error', notTaken)
  await listenAt(server, path, 'another hubrec answers')

  return {
    answer: asked => {
      questions = asked
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Asks the daemon; `null` when none answers there. */
export function askDaemon(
  path: string,
  question: string,
  said: Readonly<Record<string, string>> = {},
  limitMs = answerMs,
): Promise<unknown> {
  const query = new URLSearchParams(said).toString()
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: path, path: `/${question}${query && '?'}${query}`, timeout: limitMs, agent: false },
      response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (text.length > answerBytesMax) asked.destroy(new Error('the answer is too long'))
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text))
          else reject(new Error(`the daemon answered ${response.statusCode}: ${text}`))
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`the daemon did not answer within ${limitMs / 1e3} s`)))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (nobody.has(error.code ?? '')) resolve(null)
      else if (!forbidden.has(error.code ?? '')) reject(error)
      else reject(new AgentError('USAGE', `${path} may not be asked by this user; join the group hubrec or use sudo`))
    })
    asked.end()
  })
}

const nobody: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR'])
const forbidden: ReadonlySet<string> = new Set(['EACCES', 'EPERM'])
