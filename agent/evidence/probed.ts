/** Reads the answers of probes back from the record that keeps them. Pure, and the same for whatever release wrote them. */
import * as v from 'valibot'
import type { Failure } from '../../transports/wire-event.js'
import type { ProbeAnswer } from './probe-answer.js'

const text = v.string()
const orNull = <S extends v.GenericSchema>(schema: S) => v.nullable(schema)

const failure: v.GenericSchema<unknown, Failure> = v.object({
  name: text,
  message: text,
  code: v.exactOptional(text),
  syscall: v.exactOptional(text),
  address: v.exactOptional(text),
  errors: v.exactOptional(v.array(v.lazy(() => failure))),
  from: v.exactOptional(v.lazy(() => failure)),
})

const certificate = v.object({
  subject: text,
  issuer: text,
  validFrom: text,
  validTo: text,
  altNames: text,
  fingerprint256: text,
  knownRoot: orNull(v.boolean()),
})

const common = { askedMs: v.number(), tookMs: v.number(), error: orNull(failure) }
const dialled = { ...common, host: text, address: orNull(text), port: v.number(), isLastGood: v.boolean() }

const answer = v.variant('probe', [
  v.object({
    ...common,
    probe: v.literal('resolve'),
    resolver: text,
    name: text,
    isHub: v.boolean(),
    addresses: v.array(text),
  }),
  v.object({ ...dialled, probe: v.literal('connect') }),
  v.object({ ...dialled, probe: v.literal('tls'), version: orNull(text), certificate: orNull(certificate) }),
  v.object({ ...common, probe: v.literal('control'), host: text, port: v.number() }),
  v.object({ ...common, probe: v.literal('proxy'), host: text, port: v.number() }),
  v.object({ ...common, probe: v.literal('gateway'), address: text, interface: text }),
  v.object({
    ...common,
    probe: v.literal('portal'),
    url: text,
    status: orNull(v.number()),
    location: orNull(text),
    isPortal: v.boolean(),
  }),
  v.object({ ...common, probe: v.literal('httpDate'), host: text, aheadMs: orNull(v.number()) }),
]) satisfies v.GenericSchema<unknown, ProbeAnswer>

/**
 * @param data a `sample` record's
 * @returns `null` where it is none of probes; an answer of a shape that this release does not know is left out
 */
export function probesIn(data: unknown): readonly ProbeAnswer[] | null {
  const read = v.safeParse(v.object({ probes: v.array(v.unknown()) }), data)
  if (!read.success) return null
  return read.output.probes.flatMap(each => {
    const known = v.safeParse(answer, each)
    return known.success ? [known.output] : []
  })
}
