/** Whether systemd starts the recorder, and watches over it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { childEnvironment } from '../../child-environment.js'
import { exists } from '../../exists.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

const unitName = 'hubrec.service'

export const unit: Check = {
  id: 'unit',
  family: 'recorder',
  question: 'Is the recorder a service of systemd that starts by itself and is watched?',
  why: 'What somebody started by hand is gone after the next reboot, and nobody restarts what hangs.',
  remedies: ['Run `systemctl enable --now hubrec`.', 'Run `systemctl status hubrec` and do what it says.'],
  needs: [],
  async ask({ roots }, signal) {
    if (!(await exists(join(roots.runRoot, 'systemd/system')))) return skipped('systemd does not run here')
    const shown = await show(signal)
    if (shown === null) return skipped('systemd does not say')
    const {
      LoadState: load,
      ActiveState: active,
      UnitFileState: enabled,
      WatchdogUSec: watchdog,
      NRestarts: restarts,
    } = shown
    const info = { ...shown }
    if (load !== 'loaded')
      return warning(`there is no ${unitName}`, info, [
        'Install the unit (systemd/hubrec.service) where this device is to record by itself.',
      ])
    if (active !== 'active') return failed(`${unitName} is ${active}`, info)
    const flaws = [
      ...(enabled === 'enabled' || enabled === 'static' ? [] : ['it does not start at boot']),
      ...(watchdog === undefined || watchdog === '0' || watchdog === 'infinity' ? ['nobody watches over it'] : []),
      ...(Number(restarts) > 0 ? [`it was restarted ${restarts} times`] : []),
    ]
    return flaws.length > 0 ? warning(flaws.join('; '), info) : ok(`${unitName} is active, and watched`, info)
  },
}

const wanted = ['LoadState', 'ActiveState', 'UnitFileState', 'WatchdogUSec', 'NRestarts'] as const

function show(signal: AbortSignal): Promise<Readonly<Record<(typeof wanted)[number], string | undefined>> | null> {
  const args = ['show', unitName, `--property=${wanted.join(',')}`]
  return new Promise(resolve => {
    execFile('systemctl', args, { timeout: 5_000, signal, env: childEnvironment() }, (error, output) => {
      if (error) return resolve(null)
      const found = new Map(
        output.split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
      )
      resolve(
        Object.fromEntries(wanted.map(name => [name, found.get(name)])) as Record<
          (typeof wanted)[number],
          string | undefined
        >,
      )
    })
  })
}
