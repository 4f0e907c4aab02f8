/** What somebody wants of a bundle, by names: types of records, parts, collectors. */
import { type RecordType, recordTypes } from '../evidence/record.js'
import { collectors } from './collectors/collectors.js'
import type { Part } from './part.js'
import { parts } from './parts.js'

/** `records.ndjson` and what is made of records go with types of records; every other part by its name without the ending. */
const byRecords: Readonly<Record<string, RecordType>> = { episodes: 'episode', samples: 'sample' }

const stemOf = ({ name }: Pick<Part, 'name'>): string => name.replace(/\.[a-z]+$/, '')

const isMadeOfRecords = (stem: string): boolean => stem === 'records' || stem in byRecords

/** Everything that may be named. */
export const choiceNames: readonly string[] = [
  ...recordTypes,
  ...new Set(parts.map(stemOf).filter(stem => !isMadeOfRecords(stem))),
  ...collectors.map(({ name }) => name),
]

export const unknownNames = (names: readonly string[]): string[] => names.filter(name => !choiceNames.includes(name))

export type Choice = Readonly<{
  /** `undefined`: all of them. */
  types: readonly RecordType[] | undefined
  takesPart(part: Pick<Part, 'name'>): boolean
  takesCollector(name: string): boolean
}>

/** @param names `undefined`: everything */
export function choiceOf(names: readonly string[] | undefined): Choice {
  if (names === undefined) return { types: undefined, takesPart: () => true, takesCollector: () => true }
  const types = recordTypes.filter(type => names.includes(type))
  return {
    types,
    takesPart(part) {
      const stem = stemOf(part)
      if (stem === 'records') return types.length > 0
      const type = byRecords[stem]
      return type === undefined ? names.includes(stem) : types.includes(type)
    },
    takesCollector: name => names.includes(name),
  }
}
