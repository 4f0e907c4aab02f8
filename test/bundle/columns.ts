import t from 'tap'
import { columnsOf, csvRow } from '../../agent/bundle/columns.js'

t.test('a cell is what it was, quoted where a comma or a line end would end it', async t => {
  const row = csvRow([1, -2.5, true, null, undefined, 'plain', 'a,b', 'a"b', 'a\r\nb', ' padded ', '', 'ünï'])
  t.equal(row, '1,-2.5,true,,,plain,"a,b","a""b","a\r\nb"," padded ",,ünï\r\n')
})

t.test("a stranger's text does not become a formula", async t => {
  const texts = ['=1+1', '+1', '-1', '@x', '|cmd', '%x', '\t=1', '\r=1', '\n=1', ' =1', '\u200b=1', '＝1', "'=1", 'a=1']
  const cells = texts.map(text => csvRow([text]).slice(0, -2))
  t.strictSame(cells, [
    "'=1+1",
    "'+1",
    "'-1",
    "'@x",
    "'|cmd",
    "'%x",
    '"\'\t=1"',
    '"\'\r=1"',
    '"\'\n=1"',
    "' =1",
    "'\u200b=1",
    "'＝1",
    "'=1",
    'a=1',
  ])
})

t.test('a sample is flat, with the way to each value as its name', async t => {
  const sample = {
    a: { b: [{ c: 1 }, { c: 'x' }], list: [1, 'two', null] },
    none: null,
    off: false,
    empty: {},
    d: [[1]],
  }
  t.strictSame(columnsOf(sample), [
    ['a.b.0.c', 1],
    ['a.b.1.c', 'x'],
    ['a.list', '1 two '],
    ['none', null],
    ['off', false],
    ['d.0', '1'],
  ])
  const deep = JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`)
  t.strictSame(columnsOf(deep), [], 'what is too deep is left out')
})
