/** A report as one HTML page, which needs nothing but itself. */
import serialize from 'serialize-javascript'
import type { BuiltPage } from './built-page.js'
import type { ReportPiece } from './report.js'

/**
 * The report lies in blocks of JSON in the page, and the page's script comes before them: a page that was cut off shows what is left of
 * it. No other script runs in it, and it loads nothing, by its own policy.
 *
 * @returns whole lines
 */
export async function* reportHtml(pieces: AsyncIterable<ReportPiece>, page: BuiltPage): AsyncGenerator<string> {
  yield opening(page)
  let open = ''
  let characters = 0
  for await (const { section, ...piece } of pieces) {
    const rows = 'value' in piece ? [piece.value] : piece.rows
    if (rows.length === 0) continue
    // A row to a line, so that no line is long.
    const lines = rows.map(row => serialize(row, { isJSON: true })).join(',\n')
    const goesOn = open === section && characters < blockCharacters
    const begins = `${open === '' ? '' : blockEnd}<script type="application/json" data-section="${section}">\n[\n`
    yield `${goesOn ? ',\n' : begins}${lines}`
    open = section
    characters = (goesOn ? characters : 0) + lines.length
  }
  if (open !== '') yield blockEnd
  yield '</body>\n</html>\n'
}

/** Of a page that was cut off, no more than one block is lost. */
const blockCharacters = 32 << 10

const blockEnd = '\n]\n</script>\n'

const policyOf = ({ scriptHash }: BuiltPage): string =>
  [
    "default-src 'none'",
    `script-src '${scriptHash}'`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')

const opening = (page: BuiltPage): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(page)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>hubrec: connection report</title>
<link rel="icon" href="data:,">
<style>
${page.style}
</style>
<script>${page.script}</script>
</head>
<body>
<noscript>This page needs JavaScript to show its report. The same data is in report.json and episodes.json.</noscript>
<div id="page">The report is being read.</div>
`
