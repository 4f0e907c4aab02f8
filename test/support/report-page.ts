/** A report in a real browser: Debian's Chromium, without a window, that may ask nobody for anything. */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

/** Why there is no browser here; `false` where there is one. */
export const noBrowser: string | false = existsSync(executablePath) ? false : `${executablePath} is not installed`

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

export type Opened = Readonly<{
  page: Page
  /** All that the page has told the console, and the errors that nobody caught. */
  told: readonly string[]
  /** All that it has asked for, but for itself. */
  requests: readonly string[]
  /** Processor time of the page's own thread so far, which says the same on a busy machine. */
  cpuMs(): Promise<number>
  close(): Promise<void>
}>

/** @param hash as in an address: `#episode-1` */
export async function openReport(
  browser: Browser,
  file: string,
  { hash = '', ...options }: BrowserContextOptions & { hash?: string } = {},
): Promise<Opened> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const told: string[] = []
  const requests: string[] = []
  const address = pathToFileURL(file).href
  const session = await context.newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  page.on('console', message => told.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', error => told.push(`error: ${error.stack ?? error.message}`))
  page.on('request', request => {
    // What is in the address itself is asked of nobody.
    if (!request.url().startsWith(address) && !request.url().startsWith('data:')) requests.push(request.url())
  })
  await page.goto(`${address}${hash}`)
  await page.locator('html[data-ready]').waitFor({ timeout: 30_000 })
  const cpuMs = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics')
    return 1e3 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN)
  }
  return { page, told, requests, cpuMs, close: () => context.close() }
}
