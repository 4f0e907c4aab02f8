/** Whether the hub lets this device in, and its methods: with its own credential, and only where nobody is thrown out by it. */
import { isIP } from 'node:net'
import { supervise } from '../../../transports/supervisor.js'
import { trustOf } from '../../../transports/trust.js'
import type { WireEvent } from '../../../transports/wire-event.js'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { errorText } from '../../diagnosis/words.js'
import { firstChoice, loadTap } from '../../protocols.js'
import { type Device, deviceName, statusFromRing } from '../../status.js'
import { limitsOf, wiringOf } from '../../wiring.js'
import { type Answer, type Check, failed, ok, skipped } from '../check.js'
import type { Facts } from '../facts.js'
import { wordOf } from '../hub-port.js'
import { whenClosed, whenNotSubscribed, whenRefused } from '../sign-in-remedies.js'

export const signIn: Check = {
  id: 'sign-in',
  family: 'hub',
  question: 'Does the hub let this device in, and take its subscription to methods?',
  why: "All the rest may be well, and the key not the device's any more, or the device disabled.",
  remedies: [
    'In the portal, open the device: it must exist and be enabled; compare its keys.',
    'Run `hubrec explain 401003` for what each refusal means.',
    'Where it did not come to a refusal, do what stands beside the answer: how far it came decides.',
  ],
  needs: ['identity', 'other-clients', 'daemon'],
  async ask(facts, signal) {
    const { stateDir } = (await facts.config()).config
    const [status, identity] = await Promise.all([facts.daemon(), facts.identity()])
    const recorded = (status ?? (await statusFromRing(stateDir))).device
    if (recorded !== null && !isSame(recorded, identity)) {
      if (facts.options.mayDisconnect) return tryUnlessCut(facts, signal)
      return skipped(
        `the recorder here is ${whom(recorded)}, and ${whom(identity)} may be somebody who would be thrown out: left out without --may-disconnect`,
      )
    }
    if (status?.connection.state === 'online') return ok(`the recorder is signed in over ${status.connection.protocol}`)
    // It tries by itself, and what it meets is in the answer about the daemon.
    if (status !== null) return skipped('the recorder is trying by itself, and a second client would disturb it')
    return tryUnlessCut(facts, signal)
  },
}

/** What fails before the hub hears of us says nothing of our credential, and is told by its own check. */
async function tryUnlessCut(facts: Facts, signal: AbortSignal): Promise<Answer> {
  const cut = await cutAt(facts, signal)
  return cut === null ? tryOnce(facts, signal) : skipped(`waits for ${cut}`)
}

/** @returns the id of the check that has failed on the way there */
async function cutAt({ target, protocols, lookup, probed }: Facts, signal: AbortSignal): Promise<string | null> {
  const [{ host, port, proxy }, [wanted], probes] = await Promise.all([target(), protocols(), probed()])
  const isOf = (answer: Readonly<{ port: number; isLastGood: boolean; error: unknown }>): boolean =>
    answer.port === port && !answer.isLastGood && answer.error !== null
  if (proxy !== null) return answersOf({ probes }, 'proxy').some(({ error }) => error !== null) ? 'proxy' : null
  const isFound = isIP(host) !== 0 || (await lookup(host, signal).catch(() => [])).length > 0
  if (!isFound) return 'hub-name'
  const word = wordOf(wanted === undefined || wanted.endsWith('-ws') ? 'mqtt-ws' : (wanted as 'mqtt' | 'amqp'))
  if (answersOf({ probes }, 'connect').some(isOf)) return `tcp-${word}`
  return answersOf({ probes }, 'tls').some(isOf) ? `tls-${word}` : null
}

const whom = (device: Device): string => `${deviceName(device)}${device.hub === null ? '' : ` at ${device.hub}`}`

/** One that was assigned to another hub is still the same device where the provisioning service moved it: the name tells. */
const isSame = (recorded: Device, { hub, deviceId, moduleId }: Device): boolean =>
  recorded.deviceId === deviceId && recorded.moduleId === moduleId && (recorded.hub === null || recorded.hub === hub)

/** An answer takes a round trip; the whole check has 15 s. */
const subscribedWithinMs = 5_000

async function tryOnce(facts: Facts, signal: AbortSignal): Promise<Answer> {
  const { clock, secrets } = facts
  const [{ config }, { credential, trust, findProxy }, [wanted]] = await Promise.all([
    facts.config(),
    facts.secret(),
    facts.protocols(),
  ])
  const protocol = wanted ?? firstChoice(config.connection.protocol)
  const enough = new AbortController()
  const stop = AbortSignal.any([signal, enough.signal])
  let answer: Answer | null = null
  let deafTimer: NodeJS.Timeout | undefined
  const know = (found: Answer): void => {
    answer ??= found
    enough.abort()
  }
  const beganMs = clock.now().monoMs
  await supervise(
    {
      // Whoever looks learns nothing for whoever runs.
      credential: { ...credential, met: () => undefined },
      protocol,
      tap: await loadTap[protocol](),
      clock,
      wiring: (identity, spoken) =>
        wiringOf(config, identity, spoken, { trust: trustOf(trust, identity), clock, secrets, findProxy }),
      limits: limitsOf(config),
      sasLifetimeSeconds: config.connection.sasLifetimeSeconds,
      lastIncarnation: 0,
      onMethod: async () => ({ status: 404, payload: { message: 'hubrec doctor answers no methods' } }),
      onEvent: event => {
        if (event.type === 'accepted')
          deafTimer = setTimeout(() => {
            know(
              failed(
                `the hub let us in over ${protocol}, and did not answer the subscription to methods`,
                { protocol },
                whenNotSubscribed,
              ),
            )
          }, subscribedWithinMs)
        const found = answerIn(event, Math.round(clock.now().monoMs - beganMs))
        if (found !== null) know(found)
      },
    },
    stop,
  ).finally(() => clearTimeout(deafTimer))
  return answer ?? failed(`nothing came of it in time, over ${protocol}`)
}

function answerIn(event: WireEvent, tookMs: number): Answer | null {
  const { protocol } = event
  switch (event.type) {
    case 'subscribed':
      return event.ok
        ? ok(`over ${protocol}, and methods are subscribed, after ${tookMs} ms`, { protocol, tookMs })
        : failed(
            `the hub let us in over ${protocol} and refused the subscription to methods`,
            { protocol },
            whenNotSubscribed,
          )
    case 'refused':
      return failed(
        `${event.step} refused over ${protocol} with ${event.code}: ${event.reason}`,
        { protocol, code: event.code },
        whenRefused(event),
      )
    case 'closed':
      return failed(
        `over ${protocol}, it ended at stage ${event.stage} (${event.how} by ${event.by}): ${errorText(event.error)}`,
        {
          protocol,
          stage: event.stage,
        },
        whenClosed(event),
      )
    default:
      return null
  }
}
