/** The page's own script and style, as `npm run build` makes them of page/. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

export type BuiltPage = Readonly<{
  script: string
  style: string
  /** Of the script, as a Content-Security-Policy names it. */
  scriptHash: string
}>

export async function readBuiltPage(): Promise<BuiltPage> {
  const [script, style] = await Promise.all(['page.js', 'page.css'].map(read))
  const scriptHash = `sha256-${createHash('sha256')
    .update(script ?? '')
    .digest('base64')}`
  return { script: script ?? '', style: style ?? '', scriptHash }
}

const read = (name: string): Promise<string> => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8')
