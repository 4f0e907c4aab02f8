/** The man page and the completion of bash, made from what the commands say of themselves. */
import type { Command } from '../../agent/cli/command.js'
import { commands } from '../../agent/cli/commands.js'

export const allCommands = (): Promise<readonly Command[]> => Promise.all(Object.values(commands).map(load => load()))

/** @param date as `2026-11-27` */
export function manPage(all: readonly Command[], version: string, date: string): string {
  const about = all.map(({ name, usage, summary, details, options }) => {
    const listed = Object.entries(options).map(([option, { short, value, help }]) => {
      const names = `${short ? `\\fB\\-${short}\\fR, ` : ''}\\fB\\-\\-${plain(option)}\\fR${value ? ` \\fI${plain(value)}\\fR` : ''}`
      return `.TP\n${names}\n${plain(help)}\n`
    })
    const more = details ? `.PP\n${plain(details)}\n` : ''
    return `.SS "hubrec ${plain(`${name} ${usage}`.trim())}"\n${plain(sentence(summary))}\n${more}${listed.join('')}`
  })
  return `.TH HUBREC 1 "${date}" "hubrec ${version}" "User Commands"
.SH NAME
hubrec \\- the flight recorder for Azure IoT Hub devices
.SH SYNOPSIS
.B hubrec
.I COMMAND
[\\fIOPTIONS\\fR]
.SH DESCRIPTION
Records why the connection to IoT Hub was lost, how it was retried and what the host looked like into a ring on disk, gives every outage a
verdict with its evidence and the next steps, and uploads a bundle on demand.
.SH COMMANDS
Each also has \\fB\\-\\-json\\fR, one JSON value per line, and \\fB\\-\\-help\\fR.
${about.join('')}.SH EXIT STATUS
0 fine; 1 the answer is bad news; 2 usage or configuration; 3 hubrec itself failed.
.SH FILES
.TP
.I /etc/hubrec/config.json
the configuration, written by \\fBhubrec setup\\fR
.TP
.I /etc/default/hubrec
the environment of the service
.TP
.I /var/lib/hubrec
the ring and the bundles that wait
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
`
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** A line that begins with a dot or a quote would be an order to troff. */
const plain = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')

export function bashCompletion(all: readonly Command[]): string {
  const cases = all.map(({ name, options }) => {
    const names = [...Object.keys(options), 'json', 'help'].map(option => `--${option}`)
    return `        ${name}) words='${names.join(' ')}' ;;`
  })
  const valued = all.flatMap(({ options }) => Object.entries(options).filter(([, { type }]) => type === 'string'))
  const files = new Set(valued.filter(([, { value }]) => value === 'FILE' || value === 'DIR').map(([name]) => name))
  const others = new Set(valued.map(([name]) => name).filter(name => !files.has(name)))
  const pattern = (names: ReadonlySet<string>): string => [...names].map(name => `--${name}`).join('|')
  return `# bash completion for hubrec
_hubrec() {
    local words current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '${all.map(({ name }) => name).join(' ')} --help --version' -- "$current")
        return
    fi
    case $before in
        ${pattern(files)}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        ${pattern(others)}) return ;;
    esac
    case \${COMP_WORDS[1]} in
${cases.join('\n')}
        *) return ;;
    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}
complete -F _hubrec hubrec
`
}
