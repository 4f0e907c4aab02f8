import t from 'tap'
import { addressKind } from '../../agent/upload/address.js'

t.test('only what is on the internet is public, however the address is spelled', async t => {
  const kinds = {
    public: ['20.60.1.1', '1.1.1.1', '2603:1030::1', '::ffff:20.60.1.1', '::ffff:143c:101', '64:ff9b::143c:101'],
    private: [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '198.18.0.1',
      '::1',
      'fd00::1',
      'fc00::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:0:10.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
    ],
    never: [
      '169.254.169.254',
      '169.254.0.1',
      '168.63.129.16',
      '0.0.0.0',
      '0.1.2.3',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
      '192.0.0.192',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
      'ff02::1',
      '::',
      '::169.254.169.254',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '64:ff9b::a9fe:a9fe',
      '2002:a9fe:a9fe::1',
      '2001:0:1::1',
      '100::1',
      '2001:db8::1',
      '',
      'localhost',
      '2130706433',
      '0x7f000001',
      '127.1',
      '[::1]',
    ],
  }
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses) t.equal(addressKind(address), kind, `${address} is ${kind}`)
  }
})

t.test('the edges of the ranges are where the registries put them', async t => {
  t.equal(addressKind('172.15.255.255'), 'public')
  t.equal(addressKind('172.32.0.0'), 'public')
  t.equal(addressKind('100.63.255.255'), 'public')
  t.equal(addressKind('100.128.0.0'), 'public')
  t.equal(addressKind('169.253.255.255'), 'public')
  t.equal(addressKind('169.255.0.0'), 'public')
})
