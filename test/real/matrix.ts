/**
 * A slice of the fault matrix, spread over all its families, on real sockets in a network of its own. The whole of it is `npm run
 * matrix`; what it saw last is in `docs/fault-matrix.md`. How long things took is told here and held to nothing: other tests run
 * beside it.
 */
import { execFile } from 'node:child_process'
import t from 'tap'
import { lacking } from './matrix/inside.js'
import { barsOf, lineOf } from './matrix/report.js'
import { isRight, isWrong, type Result } from './matrix/result.js'
import { sliceOf } from './matrix/rows.js'

const rowCount = 42
t.setTimeout(560_000)

t.test(
  `${rowCount} rows of the matrix: right, and never wrong as if it were known`,
  { skip: await lacking() },
  async t => {
    const results = await new Promise<readonly Result[]>((resolve, reject) => {
      const args = ['dist/test/real/matrix/main.js', '--rows', `${rowCount}`, '--no-sdk', '--json', '--at-once', '6']
      // It ends with 1 where a bar is not met; which one is for us to say.
      execFile(process.execPath, args, { maxBuffer: 1 << 24, timeout: 500_000 }, (_error, out, err) => {
        try {
          resolve((JSON.parse(out) as { results: Result[] }).results)
        } catch {
          reject(new Error(`the matrix told nothing: ${err.slice(-2_000)}`))
        }
      })
    })
    for (const { bar, seen } of barsOf(results)) t.comment(`${bar}: ${seen}`)
    t.equal(results.length, sliceOf(rowCount).length)
    t.ok(results.length >= 40, `${results.length} rows`)
    t.strictSame(
      results.flatMap(({ problem }) => problem ?? []),
      [],
    )
    t.strictSame(results.filter(isWrong).map(lineOf), [])
    const notRight = results.filter(result => !isRight(result)).map(lineOf)
    for (const line of notRight) t.comment(line)
    t.ok(notRight.length <= 0.05 * results.length, `${notRight.length} of ${results.length} are not right`)
  },
)
