/** What lets a device into a network: Wi-Fi, mobile, VPN, radio. */
import type { Kind } from '../kind.js'
import { named } from '../named.js'

/** As a QR code has it: `WIFI:S:name;T:WPA;P:secret;;`. */
const wifiCode: Kind = {
  kind: 'wifi-key',
  anchors: ['wifi:'],
  find({ text }, _start, end) {
    const code = text.slice(end, end + 256)
    const found = /^(?:[A-Z]:(?:[^;\\\r\n]|\\.){0,128};)*?P:/.exec(code)
    if (!found) return null
    const value = /^(?:[^;\\\r\n"]|\\.){1,128}/.exec(code.slice(found[0].length))
    return value ? { start: end + found[0].length, end: end + found[0].length + value[0].length } : null
  },
}

/** Of a SIM card: `AT+CPIN="1234"`. */
const simPin: Kind = {
  kind: 'sim-pin',
  anchors: ['+cpin=', '+clck=', '+cpwd='],
  find({ text }, _start, end) {
    const found = /^[^\r\n;]{1,64}/.exec(text.slice(end, end + 64))?.[0] ?? ''
    const first = found.search(/\d{4,8}/)
    const digits = /\d{4,8}/.exec(found)?.[0].length ?? 0
    return first < 0 || found.startsWith('?') ? null : { start: end + first, end: end + first + digits }
  },
}

export const network: readonly Kind[] = [
  named(
    'wifi-key',
    [
      'psk',
      'wpa psk',
      'wpa passphrase',
      'sae password',
      'wep key',
      'wifi key',
      'pre shared key',
      'wifi pass',
      'raw psk',
      'sta psk',
      'ap psk',
    ],
    {
      strictness: 'any',
      wholeWord: true,
      spaced: true,
    },
  ),
  wifiCode,
  simPin,
  named('sim-pin', ['sim pin', 'pin code', 'puk', 'puk code', 'pin1', 'pin2'], { strictness: 'any', wholeWord: true }),
  named('snmp-community', ['rocommunity', 'rwcommunity', 'rocommunity6', 'rwcommunity6'], {
    strictness: 'any',
    spaced: true,
  }),
  named('snmp-community', ['snmp community', 'community string'], { strictness: 'any' }),
  named('vpn-key', ['private key', 'pre shared secret', 'ipsec psk', 'shared secret'], { strictness: 'opaque' }),
  named('lorawan-key', ['app s key', 'nwk s key', 'app key', 'nwk key', 'gen app key', 'f nwk s int key'], {
    strictness: 'strict',
    wholeWord: true,
  }),
  named('radio-key', ['network key', 'net key', 'link key', 'install code'], { strictness: 'strict' }),
]
