/** What somebody typed who wants an explanation: a cause, a code of the hub, its name, or the beginning of a code. */
import { catalogue } from './catalogue.js'
import type { Cause } from './cause.js'
import { codes, type HubCode } from './codes.js'
import { errorWords } from './error-words.js'
import { likelyFor } from './likelihood.js'

export type Found =
  | Readonly<{ kind: 'cause'; cause: Cause }>
  | Readonly<{ kind: 'codes'; codes: readonly Readonly<{ code: HubCode; causes: readonly Cause[] }>[] }>
  /** What a system or a library calls an error. */
  | Readonly<{ kind: 'error'; word: string; means: string; causes: readonly Cause[] }>
  /** What is spelled most alike, the nearest first. */
  | Readonly<{ kind: 'nothing'; nearest: readonly string[] }>

const nearestMax = 3

export function lookUp(asked: string): Found {
  const wanted = asked.trim().toLowerCase()
  const cause = catalogue.find(({ id }) => id === wanted)
  if (cause !== undefined) return { kind: 'cause', cause }
  const word = errorWords[wanted.toUpperCase()]
  if (word !== undefined) {
    const causes = word.causes.flatMap(id => catalogue.find(each => each.id === id) ?? [])
    return { kind: 'error', word: wanted.toUpperCase(), means: word.means, causes }
  }
  const found = codesFor(wanted)
  if (found.length > 0) return { kind: 'codes', codes: found.map(code => ({ code, causes: causesFor(code) })) }
  return { kind: 'nothing', nearest: nearest(wanted) }
}

/** The causes that may stand behind a code, the likeliest first. */
export const causesFor = ({ code }: HubCode): readonly Cause[] =>
  byLikelihood(
    catalogue.filter(({ hubCodes }) => hubCodes.includes(code)),
    likelyFor[code] ?? [],
  )

function byLikelihood(causes: readonly Cause[], first: readonly string[]): readonly Cause[] {
  const place = ({ id }: Cause): number => (first.includes(id) ? first.indexOf(id) : first.length)
  return causes.toSorted((a, b) => place(a) - place(b))
}

function codesFor(wanted: string): readonly HubCode[] {
  const exact = codes.filter(({ code, name }) => code === wanted || name.toLowerCase() === wanted)
  if (exact.length > 0) return exact
  const beginning = /^(\d{3})(?:x{1,3})?$/.exec(wanted)?.[1]
  return beginning === undefined ? [] : codes.filter(({ code }) => code.startsWith(beginning))
}

function nearest(wanted: string): readonly string[] {
  const names = [
    ...catalogue.map(({ id }) => id),
    ...codes.flatMap(({ code, name }) => [code, name]),
    ...Object.keys(errorWords),
  ]
  return [...new Set(names)]
    .map(name => ({ name, steps: distance(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
    .slice(0, nearestMax)
    .map(({ name }) => name)
}

/** How many letters have to be put in, taken out or changed to make one word of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1]
    for (let column = 1; column <= to.length; column++) {
      const changed = (above[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1)
      current.push(Math.min(changed, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    above = current
  }
  return above[to.length] ?? 0
}
