/** DESIGN's pairing rule: each attempt ends once, each session ends once. */
import type { WireEvent } from '../../transports/wire-event.js'

/**
 * @param over whether the connection has been stopped, so that nothing may be left open
 * @returns a sentence for each breach
 */
export function breaches(events: readonly WireEvent[], over = true): string[] {
  const found: string[] = []
  const attempts = new Map<number, WireEvent['type'][]>()
  const telling: ReadonlySet<WireEvent['type']> = new Set(['connecting', 'accepted', 'refused', 'closed'])
  for (const { attempt, type } of events) {
    if (telling.has(type)) attempts.set(attempt, [...(attempts.get(attempt) ?? []), type])
  }
  const whole = ['connecting refused', 'connecting closed', 'connecting accepted closed']
  const unfinished = ['connecting', 'connecting accepted']
  for (const [attempt, types] of attempts) {
    const story = types.join(' ')
    if (!whole.includes(story) && (over || !unfinished.includes(story))) found.push(`attempt ${attempt}: ${story}`)
  }
  const times = events.map(({ monoMs }) => monoMs)
  if (times.some((time, index) => time < (times[index - 1] ?? 0))) found.push('time ran backwards')
  return found
}
