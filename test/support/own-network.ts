/** A network and a mount namespace for one command, with files of its own in /etc: nothing else on the machine is touched. */

const enter = `
  set -e
  # A file system that another test mounts and unmounts would live on in our copy of the mounts.
  sed -n 's|^[^ ]* \\([^ ]*/hubrec-loop-[^ ]*\\) .*|\\1|p' /proc/self/mounts | while read -r dir; do umount -l "$dir"; done
  ip link set lo up
  for file in "$1"/*; do mount --bind "$file" "/etc/\${file##*/}"; done
  mount -t tmpfs tmpfs /run
  shift
  exec "$@"`

/** Whoever is not root may be root in a namespace of users, where the kernel allows that. */
const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']

/**
 * @param etcDir its files stand in place of those in /etc; there, /run is empty
 * @returns the arguments of `unshare`, which ends as the command does
 */
export const inOwnNetwork = (etcDir: string, ...command: string[]): string[] => [
  ...asRoot,
  '--net',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  enter,
  'sh',
  etcDir,
  ...command,
]
