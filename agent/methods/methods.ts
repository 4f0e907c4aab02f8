/** Answers direct methods: every request gets an answer, and nothing that is sent can make this throw. */
import type { MethodAnswer, MethodRequest } from '../../transports/transport.js'
import { createAdmission, createGate } from './admission.js'
import { answerBytesMax, bytesOf } from './answer-size.js'
import { methods } from './list.js'
import { type Method, type MethodContext, type MethodDeps, Refusal } from './method.js'
import { createPatterns } from './pattern.js'

const readersMax = 4

/**
 * @returns for the supervisor; never rejects. Status 200; 400 with `{"message"}` for what the caller can put right, an
 *   unknown method too; 429 when busy; 500 for the rest
 */
export function createMethods(
  deps: MethodDeps,
  context: MethodContext = contextOf(deps),
): (request: MethodRequest) => Promise<MethodAnswer> {
  return async ({ name, payload }) => {
    const method = byName.get(name)
    if (!method)
      return message(400, `unknown method; this device answers ${methods.map(({ name }) => name).join(', ')}`)
    try {
      return finish(await method.answer(payload, context), context)
    } catch (error) {
      if (error instanceof Refusal) return message(error.status, context.redactor.text(error.message))
      context.onFailure(method.name, error)
      return message(500, 'this failed inside hubrec; its own log says why')
    }
  }
}

/** Shared by all that is asked for, by a method or otherwise: limits are those of the device. */
export const contextOf = (deps: MethodDeps): MethodContext => ({
  nowMs: () => Date.now(),
  ...deps,
  patterns: createPatterns(),
  admission: createAdmission(),
  readers: createGate(readersMax),
})

/** Under both spellings. */
const byName: ReadonlyMap<string, Method> = new Map(
  methods.flatMap(method => {
    const [head = '', ...tail] = method.name
    return [head.toLowerCase(), head.toUpperCase()].map(first => [[first, ...tail].join(''), method] as const)
  }),
)

/** Without secrets, and not longer than IoT Hub takes. */
function finish({ status, payload }: MethodAnswer, { redactor }: MethodContext): MethodAnswer {
  if (payload === undefined) return { status }
  const redacted: unknown = JSON.parse(redactor.json(payload))
  if (bytesOf(redacted) <= answerBytesMax) return { status, payload: redacted }
  return message(400, `the answer would be over ${answerBytesMax} bytes; narrow it, or use UploadSupportBundle`)
}

const message = (status: number, text: string): MethodAnswer => ({ status, payload: { message: text } })
