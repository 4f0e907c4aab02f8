/** The device's own clock, set wrong before it starts. */
import { type Fault, type Row, rowsOf } from '../row.js'

const off = (name: string, days: number): Fault => ({
  name: `clock ${name}`,
  kind: 'stays',
  truth: ['clock-skew'],
  hubrecOnly: true,
  prepare: device => {
    device.clockOffDays = days
  },
  begin: () => undefined,
})

export const clockRows: readonly Row[] = [
  ...rowsOf(off('at 1970', -20_000), { mqtt: 'first', 'amqp-ws': 'first' }),
  ...rowsOf(off('40 years ahead', 14_600), { 'mqtt-ws': 'first', amqp: 'first' }),
  ...rowsOf(off('2 years ahead', 730), { mqtt: 'first', amqp: 'first' }),
  ...rowsOf(off('3 hours behind', -3 / 24), { mqtt: 'first', amqp: 'first' }),
]
