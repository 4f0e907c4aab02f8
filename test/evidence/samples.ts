/** All readings against the files of real machines and against what a broken one might show; one story per folder of files. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parseLink } from '../../agent/evidence/samples/access-points.js'
import { clock, readSynchronised } from '../../agent/evidence/samples/clock.js'
import { eventLoop, eventLoopResolutionMs } from '../../agent/evidence/samples/event-loop.js'
import { readNames, readText, toDecimal, toInteger } from '../../agent/evidence/samples/files.js'
import { parseDevices, parseWireless } from '../../agent/evidence/samples/interfaces.js'
import { parseCpuTimes, parseLoad } from '../../agent/evidence/samples/load.js'
import { parseBytes } from '../../agent/evidence/samples/memory.js'
import { parseThrottled } from '../../agent/evidence/samples/power.js'
import { parsePressure } from '../../agent/evidence/samples/pressure.js'
import type { ReadingContext } from '../../agent/evidence/samples/reading.js'
import { readings, readingsEachSecond } from '../../agent/evidence/samples/readings.js'
import { parseResolvers } from '../../agent/evidence/samples/resolvers.js'
import { parseRoutes4, parseRoutes6 } from '../../agent/evidence/samples/routes.js'
import { tcp, tcpStateOf } from '../../agent/evidence/samples/tcp.js'
import { parseCelsius } from '../../agent/evidence/samples/temperature.js'
import type { WatchedSocket } from '../../agent/watch/ss.js'
import { systemClock } from '../../transports/clock.js'

/** A Raspberry Pi 4 on Wi-Fi, its cable unplugged, on a supply that is too weak. */
const pi = {
  proc: {
    net: {
      dev: `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  204188    2034    0    0    0     0          0         0   204188    2034    0    0    0     0       0          0
  eth0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
 wlan0: 18446744073 1203441    3 10422    0     0          0     55012 99128811  870112    1    7    0     0       0          0
`,
      wireless: `Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   48.  -62.  -256        0      0      0     12      0        0
`,
      route: `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       
wlan0\t00000000\t0132A8C0\t0003\t0\t0\t3003\t00000000\t0\t0\t0                                                                            
ppp0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0                                                                              
eth0\t00000000\t0100000A\t0002\t0\t0\t100\t00000000\t0\t0\t0                                                                              
wlan0\t0032A8C0\t00000000\t0001\t0\t0\t3003\t00FFFFFF\t0\t0\t0                                                                            
`,
      ipv6_route: `fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001    wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000ca0e14fffe3af001 00000bbb 00000002 00000000 00450003    wlan0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`,
    },
    meminfo: `MemTotal:        1893680 kB
MemFree:          102336 kB
MemAvailable:     903120 kB
Buffers:           61240 kB
SwapTotal:        102396 kB
SwapFree:          88060 kB
HugePages_Total:       0
`,
    self: { status: 'Name:\tnode\nVmPeak:\t  800000 kB\nVmRSS:\t   58204 kB\nVmSwap:\t     512 kB\n' },
    loadavg: '0.42 0.31 0.25 2/211 10342\n',
    stat: 'cpu  120034 12 40021 9012033 5021 0 3011 0 0 0\ncpu0 30008 3 10005 2253008 1255 0 2800 0 0 0\nintr 1 2 3\n',
  },
  sys: {
    class: {
      net: {
        lo: { operstate: 'unknown\n', carrier: '1\n', carrier_changes: '0\n' },
        eth0: { operstate: 'down\n', carrier: '0\n', carrier_changes: '7\n' },
        wlan0: { operstate: 'up\n', carrier: '1\n', carrier_changes: '12\n' },
      },
      thermal: {
        thermal_zone0: { type: 'cpu-thermal\n', temp: '61835\n' },
        cooling_device0: { type: 'gpio-fan\n' },
      },
      hwmon: { hwmon1: { name: 'rpi_volt\n', in0_lcrit_alarm: '1\n' } },
    },
    devices: { platform: { soc: { 'soc:firmware': { get_throttled: '50005\n' } } } },
  },
  etc: {
    'resolv.conf':
      '# made by dhcpcd\ndomain plant.local\nsearch plant.local office.local\nnameserver 192.168.50.1\nnameserver fe80::1%wlan0\n',
  },
  run: { systemd: { timesync: { synchronized: '' } } },
}

const contextOf = (root: string): ReadingContext => ({
  procRoot: join(root, 'proc'),
  sysRoot: join(root, 'sys'),
  etcRoot: join(root, 'etc'),
  runRoot: join(root, 'run'),
  stateDir: join(root, 'state'),
  clock: { now: () => ({ wallMs: 1_795_000_000_123, monoMs: 5_000.4, bootMs: 9_000.6 }), bootId: 'boot-1' },
  eventLoop: monitorEventLoopDelay({ resolution: eventLoopResolutionMs }),
})

const readAll = async (root: string) => {
  const context = contextOf(root)
  return Object.fromEntries(await Promise.all(readings.map(async ({ name, read }) => [name, await read(context)])))
}

const addressesOf = (name: string) => (networkInterfaces()[name] ?? []).map(({ address }) => address)

const silent = {
  rxBytes: 0,
  rxPackets: 0,
  rxErrors: 0,
  rxDropped: 0,
  txBytes: 0,
  txPackets: 0,
  txErrors: 0,
  txDropped: 0,
}

/** What belongs to the process that reads, and not to the files. */
const measuredHere = (sample: Record<string, unknown>) => {
  const { memory, load, ...rest } = sample as { memory: { own: object }; load: object }
  return {
    ...rest,
    memory: { ...memory, own: { ...memory.own, heapUsedBytes: 0, heapTotalBytes: 0, externalBytes: 0 } },
    load: { ...load, own: null },
  }
}

t.test('a Raspberry Pi says that its cable is out, its radio weak and its supply weaker', async t => {
  const root = t.testdir({ ...pi, state: {} })
  const { disk, ...rest } = await readAll(root)
  t.match(disk, { totalBytes: Number, freeBytes: Number, totalFiles: Number, freeFiles: Number })
  t.strictSame(measuredHere(rest), {
    interfaces: {
      byName: {
        lo: {
          // A link inside the host tells nothing by it.
          operstate: null,
          carrier: null,
          carrierChanges: null,
          addresses: addressesOf('lo'),
          wireless: null,
          ...silent,
          rxBytes: 204_188,
          rxPackets: 2_034,
          txBytes: 204_188,
          txPackets: 2_034,
        },
        eth0: {
          operstate: 'down',
          carrier: 0,
          carrierChanges: 7,
          addresses: addressesOf('eth0'),
          wireless: null,
          ...silent,
        },
        wlan0: {
          operstate: 'up',
          carrier: 1,
          carrierChanges: 12,
          addresses: addressesOf('wlan0'),
          wireless: { quality: 48, signalDbm: -62, noiseDbm: null },
          rxBytes: 18_446_744_073,
          rxPackets: 1_203_441,
          rxErrors: 3,
          rxDropped: 10_422,
          txBytes: 99_128_811,
          txPackets: 870_112,
          txErrors: 1,
          txDropped: 7,
        },
      },
      omitted: 0,
    },
    routes: {
      v4: [
        { interface: 'ppp0', gateway: null, metric: 700 },
        { interface: 'wlan0', gateway: '192.168.50.1', metric: 3003 },
      ],
      v6: [{ interface: 'wlan0', gateway: 'fe80::ca0e:14ff:fe3a:f001', metric: 3003 }],
    },
    resolvers: {
      nameservers: ['192.168.50.1', 'fe80::1%wlan0'],
      search: ['plant.local', 'office.local'],
      uplinks: null,
    },
    memory: {
      totalBytes: 1_893_680 * 1024,
      availableBytes: 903_120 * 1024,
      swapTotalBytes: 102_396 * 1024,
      swapFreeBytes: 88_060 * 1024,
      own: { rssBytes: 58_204 * 1024, swapBytes: 512 * 1024, heapUsedBytes: 0, heapTotalBytes: 0, externalBytes: 0 },
    },
    pressure: null,
    load: {
      average: { load1: 0.42, load5: 0.31, load15: 0.25, running: 2, threads: 211 },
      cpu: { busyMs: 1_630_780, idleMs: 90_120_330, ioWaitMs: 50_210, stealMs: 0 },
      own: null,
    },
    accessPoints: null,
    tcp: null,
    temperature: { zones: [{ zone: 'thermal_zone0', type: 'cpu-thermal', celsius: 61.835 }] },
    power: {
      underVoltage: true,
      frequencyCapped: false,
      throttled: true,
      temperatureLimited: false,
      underVoltageSeen: true,
      throttledSeen: true,
    },
    eventLoop: null,
    clock: { wall: '2026-11-18T11:06:40.123Z', monoMs: 5000, bootMs: 9001, bootId: 'boot-1', synchronised: true },
  })
})

t.test('where the host shows nothing, every reading says so and none fails', async t => {
  const { clock, memory, load, ...rest } = await readAll(join(t.testdir(), 'nowhere'))
  t.strictSame(rest, {
    interfaces: null,
    routes: null,
    resolvers: null,
    pressure: null,
    disk: null,
    accessPoints: null,
    tcp: null,
    temperature: null,
    power: null,
    eventLoop: null,
  })
  t.match(memory, { totalBytes: null, availableBytes: null, own: { rssBytes: null, heapUsedBytes: Number } })
  t.match(load, { average: null, cpu: null, own: { userMs: Number, systemMs: Number } })
  t.match(clock, { synchronised: null })
})

t.test('this very machine can be read', async t => {
  const context = { ...contextOf('/'), stateDir: tmpdir(), clock: systemClock() }
  for (const { name, read } of readings) {
    const found = await read(context)
    t.ok(found === null || Object.keys(found).length > 0, name)
    t.strictSame(JSON.parse(JSON.stringify(found)), found, `${name} is plain data`)
  }
})

/** What a parser must survive: the wrong file, half a file, and a file made by an enemy. */
const hostile = [
  '',
  '\n\n\n',
  '\0'.repeat(1000),
  ':',
  ': 1 2 3',
  '\uFFFD\uFFFD: -1 -1 -1',
  'eth0:',
  'eth0: 1 2',
  '../../etc/passwd: 1 2 3 4 5 6 7 8 9 10 11 12',
  '..: 1 2 3 4 5 6 7 8 9 10 11 12',
  'eth0: NaN Infinity 1e9 0x10 5 6 7 8 9 10 11 12',
  'cpu',
  'cpu a b c d',
  'cpu  1 2 3',
  'some avg10=NaN avg60=x',
  'MemTotal: kB\nVmRSS:  kB',
  `nameserver\nsearch\n${'nameserver 1\n'.repeat(1000)}`,
  '9'.repeat(100_000),
  `${' '.repeat(100_000)}x`,
  'eth0\t00000000\tZZZZZZZZ\t0003\t0\t0\tx\t00000000',
  `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 short 00000400 0 0 00000003 eth0`,
]

t.test('hostile text is nothing, and never a throw', async t => {
  const nothing = {
    devices: new Map(),
    wireless: new Map(),
    routes4: [],
    cpu: null,
    load: null,
    pressure: null,
    celsius: null,
    throttled: null,
    bytes: null,
  }
  for (const text of hostile) {
    const found = {
      devices: parseDevices(text),
      wireless: parseWireless(text),
      routes4: parseRoutes4(text),
      cpu: parseCpuTimes(text),
      load: parseLoad(text),
      pressure: parsePressure(text),
      celsius: parseCelsius(text),
      throttled: parseThrottled(text),
      bytes: parseBytes(text, 'MemTotal'),
    }
    const shown = JSON.stringify(text.slice(0, 60))
    t.strictSame(found, nothing, shown)
    const { nameservers, search } = parseResolvers(text)
    t.ok(nameservers.length <= 8 && search.length <= 8, shown)
  }
  t.strictSame(parseRoutes6(hostile.at(-1)!), [{ interface: 'eth0', gateway: null, metric: 1024 }])
})

t.test('an interface may bear the name of a part of JavaScript', async t => {
  const line = (name: string) => `${name}: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n`
  const root = t.testdir({ proc: { net: { dev: ['__proto__', 'constructor', 'toString'].map(line).join('') } } })
  const { interfaces } = await readAll(root)
  t.strictSame(Object.keys((interfaces as { byName: object }).byName), ['__proto__', 'constructor', 'toString'])
})

t.test('a sample of each second has what went through, and leaves out what never moved a packet', async t => {
  const root = t.testdir({ ...pi, state: {} })
  const context = contextOf(root)
  t.strictSame(
    readingsEachSecond.map(({ name }) => name),
    ['interfaces', 'routes', 'memory', 'load'],
  )
  const [every] = await Promise.all(readingsEachSecond.map(({ read }) => read(context)))
  const { interfaces } = (await readAll(root)) as { interfaces: { byName: Record<string, Record<string, unknown>> } }
  const expected = Object.entries(interfaces.byName).flatMap(([name, state]) => {
    const { operstate, carrier, carrierChanges, addresses, ...rest } = state
    return rest.rxPackets === 0 && rest.txPackets === 0 ? [] : [[name, rest] as const]
  })
  t.ok(expected.length > 0 && expected.length < Object.keys(interfaces.byName).length, 'some of each kind')
  t.strictSame(every, { byName: Object.fromEntries(expected), omitted: 0 })
  t.equal(await readingsEachSecond[0]?.read(contextOf(t.testdir({}))), null, 'where there is no such file')
})

t.test('of a gateway full of containers the first sixteen interfaces are shown and the rest counted', async t => {
  const dev = Array.from({ length: 40 }, (_, at) => `veth${at}:1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n`).join('')
  const { interfaces } = await readAll(t.testdir({ proc: { net: { dev } } }))
  const { byName, omitted } = interfaces as { byName: object; omitted: number }
  t.strictSame([Object.keys(byName).length, omitted], [16, 24])
})

t.test('older Wi-Fi drivers write the signal without its sign', async t => {
  const text = ' wlan0: 0000   70.  200.  161.       0      0      0      0      0        0\n'
  t.strictSame(parseWireless(text), new Map([['wlan0', { quality: 70, signalDbm: -56, noiseDbm: -95 }]]))
})

t.test('a kernel that measures pressure says how much', async t => {
  const some = 'some avg10=12.50 avg60=3.02 avg300=0.80 total=812331\n'
  const root = t.testdir({
    proc: { pressure: { cpu: some, io: `${some}full avg10=0.25 avg60=0.00 avg300=0.00 total=1\n`, memory: '' } },
  })
  t.strictSame((await readAll(root)).pressure, {
    cpu: { someAvg10: 12.5, fullAvg10: null },
    io: { someAvg10: 12.5, fullAvg10: 0.25 },
    memory: null,
  })
})

t.test('behind a stub resolver the real servers are named', async t => {
  const root = t.testdir({
    etc: { 'resolv.conf': 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n' },
    run: { systemd: { resolve: { 'resolv.conf': 'nameserver 10.1.1.1\nnameserver 10.1.1.2\n' } } },
  })
  t.strictSame((await readAll(root)).resolvers, {
    nameservers: ['127.0.0.53'],
    search: ['.'],
    uplinks: ['10.1.1.1', '10.1.1.2'],
  })
})

t.test('a Raspberry Pi without the firmware file still has its voltage sensor', async t => {
  const hwmon = (alarm: string) => ({
    hwmon0: { name: 'cpu_thermal\n' },
    hwmon10: { name: 'rpi_volt\n', in0_lcrit_alarm: alarm },
  })
  const read = async (alarm: string) => (await readAll(t.testdir({ sys: { class: { hwmon: hwmon(alarm) } } }))).power
  t.strictSame(
    [await read('1\n'), await read('0\n'), await read('?\n')],
    [{ underVoltage: true }, { underVoltage: false }, null],
  )
})

t.test('later models name their firmware by address', async t => {
  const soc = 'soc@107c000000'
  const root = t.testdir({
    sys: { devices: { platform: { [soc]: { [`${soc}:firmware`]: { get_throttled: '0\n' } } } } },
  })
  t.match((await readAll(root)).power, { underVoltage: false, underVoltageSeen: false })
})

t.test('synchronisation is known where timesyncd runs alone', async t => {
  const ask = async (run: object) => readSynchronised(t.testdir(run as Parameters<Test['testdir']>[0]))
  const timesync = { synchronized: '' }
  t.strictSame(
    [
      await ask({ systemd: { timesync } }),
      await ask({ systemd: { timesync: {} } }),
      await ask({ systemd: { timesync: {} }, chrony: {} }),
      await ask({ systemd: { timesync }, chrony: {} }),
      await ask({ chrony: {} }),
      await ask({}),
    ],
    [true, false, null, true, null, null],
  )
})

t.test('a clock snapshot is taken from the clock it is given', async t => {
  t.strictSame(await clock.read(contextOf(t.testdir())), {
    wall: '2026-11-18T11:06:40.123Z',
    monoMs: 5000,
    bootMs: 9001,
    bootId: 'boot-1',
    synchronised: null,
  })
})

t.test('a blocked event loop shows in the next reading and no more in the one after', async t => {
  const context = contextOf(t.testdir())
  const histogram = context.eventLoop as ReturnType<typeof monitorEventLoopDelay>
  histogram.enable()
  t.teardown(() => histogram.disable())
  const counted = async (atLeast: number) => {
    while (histogram.count < atLeast) await setImmediate()
  }
  await counted(2)
  const untilMs = performance.now() + 150
  while (performance.now() < untilMs);
  await counted(4)
  const blocked = (await eventLoop.read(context)) as { meanMs: number; p99Ms: number; maxMs: number }
  t.ok(blocked.maxMs > 100 && blocked.maxMs < 20_000, `${blocked.maxMs} ms`)
  t.ok(blocked.p99Ms >= blocked.meanMs)
  await counted(3)
  const after = (await eventLoop.read(context)) as { maxMs: number }
  t.ok(after.maxMs < blocked.maxMs, `${after.maxMs} ms`)
})

t.test('a file that is a pipe, a directory or endless does not hold the reader', async t => {
  const dir = t.testdir({ folder: {}, file: 'text' })
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  t.equal(await readText(join(dir, 'file')), 'text')
  t.equal(await readText(join(dir, 'folder')), null)
  t.equal(await readText(join(dir, 'file/below')), null)
  t.equal(await readText(pipe), '')
  t.equal((await readText('/dev/zero'))?.length, 1 << 18)
  t.strictSame(await readNames(join(dir, 'nowhere')), [])
  t.strictSame(await readNames(dir), ['file', 'folder', 'pipe'])
})

t.test('numbers are what the kernel writes and nothing else', async t => {
  const texts = ['12\n', '-3', '', ' ', '1.5', '0x1', '1e3', 'x', null, undefined, '9'.repeat(21)]
  t.strictSame(texts.map(toInteger), [12, -3, null, null, null, null, null, null, null, null, null])
  t.strictSame(texts.map(toDecimal), [12, -3, null, null, 1.5, null, null, null, null, null, null])
})

t.test('the access point is the one that iw names', async t => {
  const text = 'Connected to 0A:00:27:00:00:01 (on wlan0)\n\tSSID: Halle 3\n\tfreq: 5180\n\tsignal: -61 dBm\n'
  t.equal(parseLink(text), '0a:00:27:00:00:01')
  t.equal(parseLink('Not connected.\n'), null)
  t.equal(parseLink('usage: iw'), null)
})

const socket = (change: Partial<WatchedSocket> = {}): WatchedSocket => ({
  state: 'ESTAB',
  local: '10.0.0.7:44140',
  peer: '20.49.109.128:8883',
  inode: 1,
  cgroup: null,
  process: null,
  rttMs: 82.5,
  retransmitting: 1,
  retransmitted: 3,
  congestionWindow: 10,
  bytesSent: 1,
  bytesReceived: 1,
  silentMs: 1,
  ...change,
})
const told = { rttMs: 82.5, retransmitted: 3, retransmitting: 1, congestionWindow: 10 }

t.test("of the sockets to the hub ours is told, and none where it cannot be told from another's", async t => {
  const ours = { name: 'node', pid: 7 }
  t.strictSame(tcpStateOf([socket({ rttMs: 1, process: { name: 'app', pid: 8 } }), socket({ process: ours })], 7), told)
  t.strictSame(tcpStateOf([socket(), socket({ state: 'SYN-SENT' })], 7), told)
  t.equal(tcpStateOf([socket(), socket()], 7), null)
  t.equal(tcpStateOf([], 7), null)
})

t.test('a real socket is asked for once a minute, by ss where there is one', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(client, 'connect')
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  let bootMs = 0
  const clock = { ...systemClock(), now: () => ({ wallMs: bootMs, monoMs: bootMs, bootMs }) }
  const context = { ...contextOf(t.testdir()), clock, hubAddress: () => '127.0.0.1' }
  // On this host others may be connected to the same address: then it says nothing, but it has asked.
  const first = await tcp.read(context)
  t.ok(first === null || typeof (first as typeof told).rttMs === 'number')
  bootMs = 59_999
  t.equal(await tcp.read(context), null)
})
