/** Who listens at systemd's place: a real datagram socket, held by perl, because Node has none. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = `
use Socket; $| = 1;
my $s;
socket($s, AF_UNIX, SOCK_DGRAM, 0) && bind($s, pack_sockaddr_un($ARGV[0])) or die $!;
print "ready\\n";
while (defined recv($s, my $text, 65536, 0)) { print unpack("H*", $text), "\\n" }
`

const sender = `
use Socket;
my $s;
socket($s, AF_UNIX, SOCK_DGRAM, 0) && connect($s, pack_sockaddr_un($ARGV[0])) && send($s, $ARGV[1], 0) or die $!;
`

export const hasPerl = spawnSync('perl', ['-MSocket', '-e', '1']).status === 0

export type Message = Readonly<Record<string, string>>

export class Datagrams implements Disposable {
  readonly heard: Message[] = []
  #wake: () => void = () => undefined

  private constructor(
    private readonly child: ChildProcess,
    private readonly path: string,
  ) {}

  static async at(path: string): Promise<Datagrams> {
    const child = spawn('perl', ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const datagrams = new Datagrams(child, path)
    const lines = createInterface({ input: child.stdout! })
    const [first] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
    if (first !== 'ready') throw new Error('nobody listens: perl has failed')
    lines.on('line', line => datagrams.#take(line))
    return datagrams
  }

  /** @returns the first message from `from` on that is as wanted */
  async next(wanted: (message: Message) => boolean, from = 0): Promise<Message> {
    for (;;) {
      const found = this.heard.slice(from).find(wanted)
      if (found) return found
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** A message of our own, which is heard after all that were sent before it. */
  say(text: string): void {
    const { status } = spawnSync('perl', ['-e', sender, this.path, text], { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) throw new Error('nothing was sent: perl has failed')
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL')
  }

  #take(line: string): void {
    const lines = Buffer.from(line, 'hex').toString().split('\n')
    this.heard.push(
      Object.fromEntries(lines.map(each => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)])),
    )
    this.#wake()
  }
}
