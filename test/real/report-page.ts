/** The page in a real browser: what is in it, what it asks for, how it looks. Pictures of it go to `.tap/report/`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { makeBundle } from '../../agent/bundle/make.js'
import { createRedactor } from '../../agent/redact.js'
import type { Report } from '../../agent/report/report.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts } from '../support/bundle-parts.js'
import { type Line, recordRing, storyStartMs } from '../support/recorded-ring.js'
import { noBrowser, openReport, startBrowser } from '../support/report-page.js'
import { dayLines } from '../support/report-story.js'
import { entriesOf } from '../support/zip.js'

const dayMs = 86_400_000
const pictures = '.tap/report'

/** Judges whether a page can be used by everybody. */
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Follows an address to an outage. @returns all that the page says of it */
const reveal = async (page: Page, id: string): Promise<string> => {
  const element = `document.getElementById(${JSON.stringify(`episode-${id}`)})`
  const hash = `#episode-${encodeURIComponent(id.replace(/\p{Surrogate}/gu, '\ufffd'))}`
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await page.waitForFunction(`${element}?.matches('[open]')`)
  return page.evaluate<string>(`${element}.textContent`)
}

type Made = Readonly<{ file: string; report: Report; html: string }>

/** The page out of a real bundle of a real ring. */
const make = async (t: Test, lines: Iterable<Line>, device = 'gateway-7/hubrec'): Promise<Made> => {
  const dir = t.testdir()
  const secrets = createSecrets()
  await recordRing(join(dir, 'ring'), lines, { secrets })
  const bundle = join(dir, 'bundle.zip')
  await makeBundle({
    file: bundle,
    window: { since: storyStartMs, until: storyStartMs + dayMs },
    requestedBy: 'a test',
    why: 'to look at it',
    ringDir: join(dir, 'ring'),
    device,
    config: {},
    versions: { hubrec: '0.1.0', sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' }, node: '20', os: 'Linux' },
    causes: {},
    redactor: createRedactor(secrets),
    secrets,
    nowMs: storyStartMs + dayMs,
    inventory: async () => ({}),
    parts: patientParts.filter(({ name }) => name.startsWith('report.')),
  })
  const entries = await entriesOf(bundle)
  const file = join(dir, 'report.html')
  const html = String(entries.get('report.html'))
  await writeFile(file, html)
  return { file, html, report: JSON.parse(String(entries.get('report.json'))) }
}

t.test('a browser', { skip: noBrowser, timeout: 240_000 }, async t => {
  const browser: Browser = await startBrowser()
  t.teardown(() => browser.close())
  await mkdir(pictures, { recursive: true })

  t.test('shows the day of a gateway, every outage with what is known of it, and asks nobody for anything', async t => {
    const { file, report } = await make(t, dayLines(130))
    const { page, told, requests, close } = await openReport(browser, file, { viewport: { width: 1280, height: 900 } })
    t.equal(await page.title(), 'hubrec: gateway-7/hubrec')
    t.match(await page.locator('h1').textContent(), 'gateway-7/hubrec')
    t.strictSame(await page.locator('h2').allTextContents(), [
      'Sessions and outages',
      'What to do next',
      'Causes',
      'How long sessions lasted',
      'Outages, the newest first',
      'Readings',
      'What else happened',
    ])
    t.match(await page.locator('.totals').textContent(), /Faults\s*117.*Planned breaks\s*13/s)
    t.strictSame(
      await page.locator('.causes tbody code').allTextContents(),
      report.summary.causes.map(({ cause }) => cause),
    )
    t.equal(await page.locator('.plot canvas').count(), 6, 'a plot for each kind of reading')
    const advised = await page.locator('.advice > li').first().textContent()
    const [worst] = report.summary.causes
    t.match(advised?.replaceAll(/\s+/g, ' '), worst?.title)

    await page.locator('.lane-outages a').first().click()
    const first = page.locator('[id="episode-e0"]')
    t.equal(await first.getAttribute('open'), '', 'a mark on the strip leads to its outage')
    const body = (await first.textContent())?.replaceAll(/\s+/g, ' ')
    for (const part of [
      'What was seen',
      'What to do',
      'attempt at my-hub.azure-devices.net:8883',
      'wait',
      'getaddrinfo ENOTFOUND',
      'the name of the hub does not resolve',
      'TLSv1.3',
      'TCP round trip to the hub',
      'hub-unreachable',
    ]) {
      t.match(body, part)
    }

    const untold: string[] = []
    for (const { id, verdict } of report.episodes) {
      if (!(await reveal(page, id)).includes(verdict.title)) untold.push(id)
    }
    t.strictSame([report.episodes.length, untold], [130, []], 'each outage is reached, and shown with its verdict')

    await page.locator('.causes button').first().click()
    t.match(await page.locator('output').textContent(), `${worst?.count} of 130 outages`, 'a cause chooses its outages')
    t.strictSame([told, requests], [[], []])
    await close()
  })

  t.test('can be used without a mouse, and says what is drawn', async t => {
    const { file } = await make(t, dayLines(30))
    const { page, close } = await openReport(browser, file, {})
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate('document.activeElement.textContent'), 'To the outages')
    await page.keyboard.press('Tab')
    const label = await page.evaluate('document.activeElement.ariaLabel')
    t.match(label, /^2026-11-22 \d\d:\d\d:\d\d: .+ \((certain|likely|possible)\), /, 'a mark says what it is')
    await page.keyboard.press('Enter')
    t.equal(await page.evaluate('document.activeElement.tagName'), 'SUMMARY', 'and leads to the outage')
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.evaluate(axe)
      const { violations } = await page.evaluate<{ violations: readonly { id: string; nodes: { html: string }[] }[] }>(
        'axe.run()',
      )
      t.strictSame(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
        `names, roles, contrast: ${colorScheme}`,
      )
    }
    await close()
  })

  t.test('looks as it did when somebody looked', async t => {
    const { file } = await make(t, dayLines(40))
    for (const [name, options] of [
      ['light', { viewport: { width: 1280, height: 900 } }],
      ['dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
      ['phone', { viewport: { width: 390, height: 844 } }],
    ] as const) {
      const { page, told, close } = await openReport(browser, file, { ...options, hash: '#episode-e20' })
      t.ok(await page.locator('[id="episode-e20"][open]').isVisible(), `${name}: the address leads to its outage`)
      t.ok(
        await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
        `${name}: nothing is wider than the window`,
      )
      await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
      if (name === 'dark') await page.pdf({ path: join(pictures, 'print.pdf'), format: 'A4' })
      t.strictSame(told, [])
      await close()
    }
    t.ok((await readFile(join(pictures, 'print.pdf'))).length > 10_000)
  })

  t.test('shows hostile texts as texts', async t => {
    const hostile = [
      '<script>alert(1)</script>',
      '</script><script>alert(1)</script>',
      '<!--<script>',
      ']]>--><img src=x onerror=alert(1)>',
      '\u2028alert(1)\u2029',
      '\u202egnp.exe\u202c and \u200f the rest',
      '"><b>"\'`$' + '{alert(1)}{{7*7}}',
      '\u0000\u0007\ud800',
    ]
    const all = hostile.join(' ')
    const text = (n: number): string => `${hostile[n % hostile.length]} ${all}`
    const lines = dayLines(hostile.length + 1, n => ({
      id: `${n}${hostile[n] ?? 'x'.repeat(100_000)}`,
      conn: n === 2 ? all : 'hubrec',
      sdkSaid: { name: all, message: n === 8 ? `${all} ${'y'.repeat(100_000)}` : all },
      verdict: {
        cause: text(n),
        confidence: 'certain',
        title: text(n),
        hubCodes: [all],
        evidence: [text(n)],
        nextSteps: [text(n)],
        docs: [`javascript:alert(1)//${all}`, `https://example.test/${all}`],
        runnersUp: [{ cause: all, confidence: 'possible', toDecide: all }],
      },
    }))
    const names: Line[] = [
      { atS: 10, type: 'mark', conn: null, data: { id: all, note: all } },
      { atS: 11, type: 'log', level: 50, conn: null, data: { msg: all } },
      {
        atS: 12,
        type: 'sample',
        conn: null,
        data: { interfaces: { byName: { [all]: { wireless: { signalDbm: -50 } } } } },
      },
    ]
    const { file, report } = await make(t, [...names, ...lines], all)
    const { page, told, requests, close } = await openReport(browser, file)
    page.on('dialog', dialog => t.fail(`it said ${dialog.message()}`))
    t.equal(report.episodes.length, hostile.length + 1)
    for (const [n, { id, verdict }] of report.episodes.entries()) {
      const shown = await reveal(page, id)
      t.ok(shown.includes(verdict.title), `outage ${n} is shown with its title as it is`)
      t.ok(shown.length < 60_000, 'and what is too long is cut')
    }
    t.strictSame(
      await Promise.all(
        ['script:not([type])', '#page script, #page img, #page b, [onerror], a[href^="javascript" i]'].map(selector =>
          page.locator(selector).count(),
        ),
      ),
      [1, 0],
      'no element came out of a text',
    )
    t.strictSame([told, requests], [[], []])
    await close()
  })

  t.test('shows what is left of a page that was cut off, and says so', async t => {
    const { file, html } = await make(t, dayLines(100))
    await writeFile(file, html.slice(0, html.indexOf('data-section="timeline"') - 2_000))
    const { page, told, close } = await openReport(browser, file)
    t.match(await page.locator('.warning').allTextContents(), [/incomplete/, /cut off before its end/])
    t.ok((await page.locator('.episode').count()) > 50)
    t.strictSame(told, [])
    await close()
  })

  t.test('shows a report of nothing', async t => {
    const { file } = await make(t, [])
    const { page, told, close } = await openReport(browser, file)
    t.match(await page.locator('main').textContent(), /Nothing is known of any connection.*Nothing: no outage/s)
    t.strictSame(told, [])
    await close()
  })
})
