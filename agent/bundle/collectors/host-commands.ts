/**
 * The programs that a bundle may run, each with its arguments: a configuration chooses among them by name and cannot add any.
 * Each only reads, needs no terminal, and asks no other host. To add one, add a line.
 */

export type HostCommand = Readonly<{
  program: string
  arguments: readonly string[]
  /** Exit codes that are an answer too; 0 always is. */
  alsoFine?: readonly number[]
  /** What it says on its standard error belongs to its output. */
  errorsToo?: true
}>

export const hostCommands = {
  'ip-address': { program: 'ip', arguments: ['-details', 'address', 'show'] },
  'ip-link': { program: 'ip', arguments: ['-statistics', '-statistics', 'link', 'show'] },
  'ip-neighbour': { program: 'ip', arguments: ['-statistics', 'neighbour', 'show'] },
  'ip-route': { program: 'ip', arguments: ['route', 'show', 'table', 'all'] },
  'ip-route-6': { program: 'ip', arguments: ['-6', 'route', 'show', 'table', 'all'] },
  'ip-rule': { program: 'ip', arguments: ['rule', 'show'] },
  sockets: { program: 'ss', arguments: ['--tcp', '--udp', '--all', '--numeric', '--processes', '--info', '--options'] },
  'socket-summary': { program: 'ss', arguments: ['--summary'] },
  firewall: { program: 'nft', arguments: ['list', 'ruleset'] },
  resolvers: { program: 'resolvectl', arguments: ['status', '--no-pager'] },
  networks: { program: 'networkctl', arguments: ['status', '--all', '--no-pager', '--lines=0'] },
  'network-manager': { program: 'nmcli', arguments: ['--terse', 'device', 'show'] },
  modems: { program: 'mmcli', arguments: ['--modem=any'] },
  wireless: { program: 'iw', arguments: ['dev'] },
  time: { program: 'timedatectl', arguments: ['status', '--no-pager'] },
  'time-sources': { program: 'chronyc', arguments: ['-n', 'sources'] },
  'disk-space': { program: 'df', arguments: ['--local', '--print-type', '--human-readable'] },
  'disk-inodes': { program: 'df', arguments: ['--local', '--inodes'] },
  mounts: { program: 'findmnt', arguments: ['--list'] },
  memory: { program: 'free', arguments: ['--mebi', '--wide'] },
  processes: { program: 'ps', arguments: ['-eo', 'pid,ppid,user,stat,ni,rss,pcpu,etime,comm', '--sort=-rss'] },
  'kernel-log': { program: 'dmesg', arguments: ['--time-format=iso', '--decode', '--nopager'] },
  'failed-units': { program: 'systemctl', arguments: ['list-units', '--failed', '--all', '--no-pager', '--plain'] },
  timers: { program: 'systemctl', arguments: ['list-timers', '--all', '--no-pager'] },
  'unit-hubrec': {
    program: 'systemctl',
    arguments: ['status', 'hubrec.service', '--no-pager', '--full', '--lines=50'],
    // It is dead, or there is none.
    alsoFine: [3, 4],
  },
  'usb-devices': { program: 'lsusb', arguments: [] },
  throttling: { program: 'vcgencmd', arguments: ['get_throttled'] },
} as const satisfies Readonly<Record<string, HostCommand>>

export type HostCommandName = keyof typeof hostCommands

export const hostCommandNames = Object.keys(hostCommands) as readonly HostCommandName[]
