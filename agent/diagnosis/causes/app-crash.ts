/** The process ended without saying goodbye. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const appCrash: Cause = {
  id: 'app-crash',
  family: 'local',
  title: 'The process or the device stopped without a goodbye',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The records of the previous run end without a stop record.',
    hub: 'A connection that breaks off, or goes silent if the power failed.',
    log: '404104.',
  },
  meaning:
    'The previous run was killed, crashed, or lost its power. If the device has booted since, look at the power first; if not, at what ended the process.',
  tells: {
    raises: 'No stop record, another boot id, words of the kernel or of systemd about the process.',
    rulesOut: 'A stop record, or an end that somebody asked for.',
  },
  nextSteps: {
    device: [
      'Run `journalctl -u hubrec -n 50` and look at the last lines before the gap.',
      'Run `journalctl -k -b -1 | grep -iE "out of memory|oom|under-voltage|panic"` for the boot before, or without `-b -1` if the device has not booted.',
      'If power was lost, check the supply, the plug and the cable.',
    ],
    portal: [
      'In the portal, look whether devices at the same place were lost at the same moment: that is a power cut.',
    ],
  },
  docs: [pages.errorCodes],

  fromEnding(ending, { application }) {
    if (ending.kind !== 'crash') return null
    if (application) {
      return {
        confidence: 'certain',
        evidence: ['The process of the application ended without a goodbye: it was killed, or it crashed.'],
        runnersUp: [],
        firstSteps: ['Run `journalctl` for the service of the application and look at its last lines.'],
      }
    }
    return {
      confidence: 'certain',
      evidence: [
        'The previous run left no stop record.',
        ending.rebooted
          ? 'The device has booted since, so it lost its power or was restarted.'
          : 'The device has not booted since, so only the process ended: it was killed, or it crashed.',
      ],
      runnersUp: [],
      ...(ending.rebooted
        ? {
            firstSteps: [
              'Run `last -x | head` and `journalctl --list-boots` to see when the device went down and came up.',
            ],
          }
        : {}),
    }
  },
}
