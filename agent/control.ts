/** The control socket: a running daemon answers the commands of its host over HTTP on a unix socket (mode 0660). */
import { createServer, request } from 'node:http'
import { AgentError } from './errors.js'
import { type Holder, holderOf } from './lock.js'
import { isSocketPath, listenAt } from './unix-socket.js'

/** What may be asked: `GET /<name>?<what is said with it>` is answered with the function's JSON. */
export type Questions = Readonly<Record<string, (said: URLSearchParams) => Promise<unknown>>>

export interface ControlSocket {
  /** Until it is called, questions get 503. */
  answer(questions: Questions): void
  close(): Promise<void>
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

/** A daemon that runs, and does not answer. */
export class SilentDaemon extends AgentError {
  constructor(
    readonly pid: number | null,
    readonly why: string,
    /** What to try, in the imperative. */
    readonly remedies: readonly string[],
  ) {
    super('DAEMON_SILENT', saidOf(pid, why))
  }

  /** The message without its code. */
  get said(): string {
    return saidOf(this.pid, this.why)
  }
}

const saidOf = (pid: number | null, why: string): string =>
  `hubrec runs${pid === null ? '' : ` (pid ${pid})`} and does not answer: ${why}`

/**
 * Asks the daemon of a state directory; `null` where none runs, which its socket alone does not tell.
 *
 * @throws SilentDaemon where one runs that cannot be asked, or does not answer in time
 */
export async function askRunning(
  { socket, stateDir }: Readonly<{ socket: string; stateDir: string }>,
  question: string,
  said: Readonly<Record<string, string>> = {},
  limitMs = answerMs,
): Promise<unknown> {
  const answer = await askDaemon(socket, question, said, limitMs).catch((error: unknown) => {
    if (error instanceof NoAnswer) return error
    throw error
  })
  if (answer !== null && !(answer instanceof NoAnswer)) return answer
  const holder = await holderOf(stateDir)
  if (answer instanceof NoAnswer) throw new SilentDaemon(holder?.pid ?? null, answer.message, whenHung(holder))
  if (holder === null) return null
  const { control } = holder
  if (!holder.answers) throw new SilentDaemon(holder.pid, `nobody listens at ${socket}`, whenHung(holder))
  if (control === null) throw new SilentDaemon(holder.pid, `it has no control socket at ${socket}`, whenDeaf(holder))
  const why =
    control.refusal === null
      ? `its control socket is ${control.path === socket ? 'gone from there: ' : 'another one: '}${control.path}`
      : `it could not make its control socket ${control.path}: ${control.refusal}`
  throw new SilentDaemon(holder.pid, why, whenDeaf(holder))
}

const pidOr = (holder: Holder | null): string => String(holder?.pid ?? 'PID')

const whenHung = (holder: Holder | null): string[] => [
  ...(holder?.state === 'T' ? [`It is stopped: \`kill -CONT ${pidOr(holder)}\` lets it go on.`] : []),
  `Run \`systemctl restart hubrec\`, or \`kill -9 ${pidOr(holder)}\` and start it again: the records that it has written stay.`,
]

const whenDeaf = (holder: Holder): string[] => [
  'Make the directory of that path one which its user may write, or set `controlSocket` to a path in another one.',
  `Then run \`systemctl restart hubrec\`, or \`kill ${pidOr(holder)}\` and start it again; a second one beside it is refused.`,
]

class NoAnswer extends Error {}

/** Asks whoever listens at a path; `null` when nobody does. */
export function askDaemon(
  path: string,
  question: string,
  said: Readonly<Record<string, string>> = {},
  limitMs = answerMs,
): Promise<unknown> {
  // Node would cut it off, and ask whoever listens at what is left.
  if (!isSocketPath(path)) return Promise.resolve(null)
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
    asked.on('timeout', () => asked.destroy(new NoAnswer(`nothing came within ${limitMs / 1e3} s`)))
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
