/** What a wire event says, in one line, without what differs each time: for tables that compare whole stories. */
import type { Closed, Failure, WireEvent } from '../../transports/wire-event.js'

/** `null` for events that are on every way and decide nothing. */
export function wordsOf(event: WireEvent): string | null {
  switch (event.type) {
    case 'accepted':
      return 'accepted'
    case 'subscribed':
      return event.ok ? null : 'subscription refused'
    case 'detached':
      return `${event.link} detached${because(event.condition)}`
    case 'rejected':
      return `${event.link} rejected${because(event.condition)}`
    case 'renewalStarted':
      return 'renewal started'
    case 'renewalDone':
      return `renewal ${event.ok ? 'done' : 'failed'}`
    case 'refused':
      return `refused by ${event.step}: ${event.code}`
    case 'closed':
      return closing(event)
    default:
      return null
  }
}

/** Of each attempt what it and its session said, as one line; an attempt of which nothing was said is left out. */
export function storiesOf(events: readonly WireEvent[]): string[] {
  const stories = new Map<number, string[]>()
  for (const event of events) {
    const words = wordsOf(event)
    if (words === null) continue
    const story = stories.get(event.attempt) ?? []
    // A link has two halves, which go one after the other, and something may come between.
    if (!story.includes(words)) story.push(words)
    stories.set(event.attempt, story)
  }
  return [...stories.values()].map(story => story.join('; '))
}

const because = (condition: string | null): string => (condition === null ? '' : ` (${condition})`)

function closing({ stage, by, how, reason, error }: Closed): string {
  const more = [reason, error && named(error)].filter(Boolean)
  return `closed in ${stage} by ${by}, ${[how, ...more].join(', ')}`
}

/** Errors of the system have their code, and those of a protocol their name besides. */
function named(error: Failure): string {
  const { name, code } = error
  const isPlain = name === 'Error' || name === 'AggregateError'
  const own = [isPlain ? null : name, code].filter(Boolean).join(' ')
  return own === '' && error.from ? named(error.from) : own || name
}
