/** The conformance table knows every fault that the local hub knows, and leaves no cell without a word. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { faultUsages, proxyFaultUsages } from './hub/fault-words.js'
import type { NameMode } from './hub/name-server.js'
import { conformancePage } from './support/conformance-page.js'
import { protocols, type Row } from './support/conformance-row.js'
import { table } from './support/conformance-table.js'
import type { CredentialTrouble, Trouble } from './support/troubles.js'

const page = 'docs/conformance.md'

/** Each kind by itself, and with each word that one of its fields can be. */
function wordsOf(usages: readonly string[]): { kind: string; field: string; value: string }[] {
  return usages.flatMap(usage => {
    const [kind = '', ...fields] = usage.split(' ')
    const choices = fields.flatMap(field => {
      const [, name = '', values = ''] = /^\[?(\w+)=([^\]]*)\]?$/.exec(field) ?? []
      return values.includes('|') ? values.split('|').map(value => ({ kind, field: name, value })) : []
    })
    return [{ kind, field: 'kind', value: kind }, ...choices]
  })
}

/** The faults of the rows. */
const faultsBy = (by: 'door' | 'proxy'): { row: Row; fault: Readonly<Record<string, unknown>> }[] =>
  table.flatMap(row => (row.trouble.by === by ? [{ row, fault: row.trouble.fault }] : []))

const happensNowhere = ({ cells }: Row): boolean => protocols.every(protocol => typeof cells[protocol] === 'string')

for (const [by, usages] of [
  ['door', faultUsages()],
  ['proxy', proxyFaultUsages()],
] as const) {
  t.test(`each fault of the ${by} is in the table, with each of its words`, async t => {
    const rows = faultsBy(by)
    const missing = wordsOf(usages).filter(({ kind, field, value }) => {
      const ofKind = rows.filter(({ fault }) => fault.kind === kind)
      const isNowhere = ofKind.length > 0 && ofKind.every(({ row }) => happensNowhere(row))
      return !isNowhere && !ofKind.some(({ fault }) => String(fault[field]) === value)
    })
    t.strictSame(missing, [])
    t.ok(rows.length >= usages.length, `${rows.length} rows for ${usages.length} kinds`)
  })
}

/** By the compiler's word these are all. */
const modes: Readonly<Record<Exclude<NameMode, 'answer'>, true>> = { nxdomain: true, servfail: true, silence: true }
const credentials: Readonly<Record<CredentialTrouble, true>> = {
  disabled: true,
  deleted: true,
  'regenerated key': true,
  'expired token': true,
  'certificate refused': true,
  'root missing': true,
}
const others: Readonly<Record<Exclude<Trouble['by'], 'door' | 'proxy'>, readonly string[]>> = {
  names: Object.keys(modes),
  registry: Object.keys(credentials),
  cut: ['fin', 'rst'],
  proxyCut: ['fin', 'rst'],
  rival: [''],
  nobody: [''],
}

t.test('so are the troubles that are no faults of the door', async t => {
  const found = table.map(({ trouble }) => {
    const { by, ...detail } = trouble
    return `${by} ${Object.values(detail)[0] ?? ''}`
  })
  const wanted = Object.entries(others).flatMap(([by, details]) => details.map(detail => `${by} ${detail}`))
  t.strictSame(
    wanted.filter(each => !found.includes(each)),
    [],
  )
})

t.test('each cell says what is to be seen, or why nothing can be', async t => {
  const words = table.flatMap(({ name, cells }) =>
    protocols.flatMap(protocol => {
      const cell = cells[protocol]
      const moments = typeof cell === 'string' ? [cell] : [cell.start, cell.session]
      return moments.map(moment => ({
        name: `${name} over ${protocol}`,
        isSaid:
          typeof moment === 'string'
            ? moment !== ''
            : moment.seen.length > 0 && moment.seen.every(([, verdict]) => verdict),
        isTried: typeof moment !== 'string',
      }))
    }),
  )
  t.strictSame(
    words.filter(({ isSaid }) => !isSaid),
    [],
  )
  t.equal(new Set(table.map(({ name }) => name)).size, table.length, 'each row has a name of its own')
  const tried = words.filter(({ isTried }) => isTried).length
  t.comment(`${table.length} rows; ${tried} cells are tried, ${words.length - tried} cannot happen`)
  t.ok(tried > 500)
})

t.test(`${page} is what the table says; HUBREC_TEST_WRITE=1 writes it`, async t => {
  const text = conformancePage(table)
  if (process.env.HUBREC_TEST_WRITE) writeFileSync(page, text)
  t.equal(existsSync(page) && readFileSync(page, 'utf8'), text)
})
