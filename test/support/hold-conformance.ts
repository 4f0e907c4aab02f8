/** Holds one protocol to every cell of the conformance table that it has. */
import t from 'tap'
import type { Protocol } from '../../transports/wire-event.js'
import { showCell, type When } from './conformance.js'
import type { Moment } from './conformance-row.js'
import { table } from './conformance-table.js'
import { Troubles } from './troubles.js'

const names: Readonly<Record<When, string>> = { start: 'on the first connection', session: 'in a session' }

export async function holdConformance(protocol: Protocol): Promise<void> {
  const troubles = await Troubles.start()
  t.teardown(() => troubles[Symbol.asyncDispose]())
  t.jobs = 8
  for (const row of table) {
    const cell = row.cells[protocol]
    // A reason why it cannot happen there.
    if (typeof cell === 'string') continue
    for (const when of ['start', 'session'] as const) {
      const moment = cell[when]
      if (typeof moment === 'string') continue
      t.test(`${row.name}, ${names[when]}: ${moment.seen[0]?.[1]}`, { buffered: true }, async t => {
        const shown = await showCell(troubles, row, protocol, when, moment)
        t.strictSame(shown, { ...expected(moment, shown.wire), broken: [] })
      })
    }
  }
}

/** Of several things that may be seen it is the one that was; any of them where each attempt met another one. */
function expected({ seen }: Moment, wire: readonly string[]): { wire: readonly string[]; verdict: string | undefined } {
  const whole = seen.find(([story]) => story === wire.join(' // '))
  const areAllKnown = wire.length > 0 && wire.every(story => seen.some(([known]) => known === story))
  const [story = '', verdict] = whole ?? seen.find(([known]) => areAllKnown && known === wire[0]) ?? seen[0] ?? []
  return { wire: areAllKnown ? wire : story === '' ? [] : story.split(' // '), verdict }
}
