/** Options that several commands share. */
import type { Option } from './command.js'

export const sourceOptions = {
  config: { type: 'string', value: 'FILE', help: 'the configuration; default $HUBREC_CONFIG, /etc/hubrec/config.json' },
  'state-dir': { type: 'string', value: 'DIR', help: 'read this state directory; no configuration is needed' },
  bundle: { type: 'string', value: 'FILE', help: 'read a bundle and not a ring' },
} as const satisfies Readonly<Record<string, Option>>

export const windowOptions = {
  since: { type: 'string', value: 'T', help: 'from then on: RFC 3339, unix seconds, or 15m, 2h, 3d ago' },
  until: { type: 'string', value: 'T', help: 'up to then, in the same forms' },
  around: { type: 'string', value: 'ID', help: 'a quarter of an hour before a mark or an outage, to 5 min after it' },
} as const satisfies Readonly<Record<string, Option>>
