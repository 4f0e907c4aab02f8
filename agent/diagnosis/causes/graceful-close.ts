/** The connection was closed on purpose. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfEnding } from '../wire-facts.js'

export const gracefulClose: Cause = {
  id: 'graceful-close',
  family: 'local',
  title: 'Closed on purpose',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: true,
  sees: {
    device: 'This side says goodbye (DISCONNECT) because it was told to stop.',
    hub: 'A client that leaves politely.',
    log: 'deviceDisconnect at level Information, without a code.',
  },
  meaning: 'Nothing is wrong: the service was stopped or restarted, or the application closed its client.',
  tells: {
    raises: 'Our own goodbye stands before the end.',
    rulesOut: 'A loss before the goodbye was said.',
  },
  nextSteps: {
    device: ['Do nothing, unless nobody meant to stop it: then `journalctl -u hubrec` shows who did.'],
    portal: ['In alerts, ignore a disconnect of level Information.'],
  },
  docs: [pages.connectivity],

  fromEnding(ending, { application }) {
    if (ending.kind === 'goodbye') {
      return {
        confidence: 'certain',
        evidence: [
          `The ${application ? 'application ended' : 'recorder was stopped'} (${ending.why}) and said goodbye.`,
        ],
        runnersUp: [],
      }
    }
    const close = closeOfEnding(ending)
    if (close === null) return null
    if (close.closed.by === 'application') {
      return { confidence: 'certain', evidence: ['The application closed its client.'], runnersUp: [] }
    }
    if (close.closed.by === 'us' && close.closed.reason === 'shutdown') {
      return {
        confidence: 'certain',
        evidence: ['The recorder closed the connection because it was stopped.'],
        runnersUp: [],
      }
    }
    return null
  },
}
