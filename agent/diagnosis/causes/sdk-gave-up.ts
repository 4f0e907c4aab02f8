/** An application's SDK has stopped trying, and nothing will happen until the application does something. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { isOurs } from '../wire-facts.js'
import { duration, quoted } from '../words.js'

export const sdkGaveUp: Cause = {
  id: 'sdk-gave-up',
  family: 'local',
  title: 'The SDK of the application stopped trying to connect',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'After a loss, or after four minutes of failed attempts, the application does not dial any more.',
    hub: 'A device that is gone and does not come back.',
    log: '404104 for the session that was lost, and then nothing.',
  },
  meaning:
    'The SDK tries for four minutes, or as long as the retry policy of the application says, and after some errors not at all. It tells its application once, or never. What ended the session may be long over.',
  tells: {
    raises: 'No attempt for longer than the SDK ever waits, while the process lives.',
    rulesOut: 'Attempts went on, or the process has ended.',
  },
  nextSteps: {
    device: [
      'Restart the application; it will connect at once if nothing else is wrong.',
      'Let the application make a new client when the SDK says disconnect, and again until it succeeds: reopening the old client leaves it deaf.',
      'Listen to `disconnect` in the application. Without a listener for methods, twin or messages the SDK does not even notice some losses.',
    ],
    portal: ['In the portal, set an alert on devices that stay disconnected.'],
  },
  docs: [pages.reconnections, pages.connectivity],

  fromPause({ stoodStillMs, sdkSaid, ending, failedCount, ended }) {
    // Who closed its client on purpose, or never tried, has not given up.
    if (failedCount === 0 && (ending.kind !== 'closed' || isOurs(ending.event))) return null
    const until = ended ? 'Nobody dialled' : 'Nobody has dialled since'
    return {
      confidence: sdkSaid === null ? 'possible' : 'likely',
      evidence: [
        `${until} for ${duration(stoodStillMs)}, although no attempt was being waited for.`,
        sdkSaid === null
          ? 'The SDK has not told its application of the loss.'
          : `The SDK had told its application: ${sdkSaid.name}${quoted(sdkSaid.message)}.`,
      ],
      runnersUp: [
        maybe('app-crash', 'Look whether the application still runs, and since when.'),
        maybe('sdk-outdated', 'Run `hubrec status`: it names the packages of a connected application that are behind.'),
        maybe('graceful-close', 'Look in the log of the application: did it close its client itself after the loss?'),
      ],
    }
  },
}
