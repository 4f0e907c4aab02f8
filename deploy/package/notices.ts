/** The licences of what is bundled, because each of them wants to be passed on. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundled } from './bundle.js'

/** @returns one text; a package without a text of its own is named with the licence that it declares */
export function notices(packages: Bundled['packages']): string {
  const all = [...packages].map(([name, { license, dir }]) => {
    const file = readdirSync(dir).find(each => /^(?:licen[cs]e|copying)(?:\.|$)/i.test(each))
    const text = file ? readFileSync(join(dir, file), 'utf8').trim() : `Declared in its package.json: ${license}`
    return `${name} (${license})\n\n${text}\n`
  })
  return `hubrec contains the following packages.\n\n${all.join(`\n${'-'.repeat(72)}\n\n`)}`
}
