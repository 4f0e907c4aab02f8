/** What `--help` prints, made from what the commands say of themselves. */
import type { Command } from './command.js'

export const overview = (commands: readonly Command[]): string[] => [
  'hubrec: the flight recorder for Azure IoT Hub devices',
  '',
  'usage: hubrec COMMAND [OPTIONS]; hubrec COMMAND --help says more',
  '',
  ...table(commands.map(({ name, summary }) => [name, summary])),
  '',
  'Exit codes: 0 fine; 1 the answer is bad news; 2 usage or configuration; 3 hubrec itself failed.',
]

export function helpOf({ name, summary, usage, details, options }: Command): string[] {
  const rows = Object.entries(options).map(([option, { short, value, help }]): [string, string] => [
    `${short ? `-${short}, ` : ''}--${option}${value ? ` ${value}` : ''}`,
    help,
  ])
  return [
    `usage: hubrec ${name} ${usage}`.trimEnd(),
    '',
    `${summary}.`,
    ...(details ? ['', details] : []),
    '',
    ...table([...rows, ['--json', 'one JSON value per line'], ['-h, --help', 'this text']]),
  ]
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
