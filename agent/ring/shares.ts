/** Which records go when room is needed: a function from what is in the segments to what to do with the oldest of them. Pure. */
import type { RingClass } from './ring.js'
import { type SegmentIndex, textBytesIn } from './segment-index.js'

export type Holding = Readonly<{ bytes: number; index: SegmentIndex }>

/** `survives`: the types of which every record stays. None at all: the whole segment goes. */
export type Victim = Readonly<{ position: number; survives: ReadonlySet<string> }>

/** Rewriting a segment for less than this part of it is not worth the wear. */
const worthFreeing = 1 / 8

/**
 * The next that goes: the oldest segment, unless nearly all of it is protected. A class is protected there while what is newer
 * of it takes less than its share.
 *
 * @param holdings oldest first
 * @param isLastResort whether age decides where all of it is protected
 * @returns `null` when there is nothing left that may go
 */
export function chooseVictim(
  holdings: readonly Holding[],
  classes: readonly RingClass[],
  budgetBytes: number,
  isLastResort: boolean,
): Victim | null {
  const newer = classes.map((_, at) => holdings.reduce((sum, holding) => sum + bytesOf(holding, classes[at]!), 0))
  for (const [position, holding] of holdings.entries()) {
    const survives = new Set<string>()
    let survivingBytes = 0
    for (const [at, ringClass] of classes.entries()) {
      const held = bytesOf(holding, ringClass)
      newer[at]! -= held
      if (held === 0 || newer[at]! >= ringClass.share * budgetBytes) continue
      survivingBytes += held
      for (const type of ringClass.types) survives.add(type)
    }
    // The record that opens it stays with whatever stays, and so is no reason to rewrite it.
    if (survives.size > 0) survivingBytes += bytesOfTypes(holding, ['context'])
    if (survivingBytes < holding.bytes * (1 - worthFreeing)) return { position, survives }
  }
  return isLastResort && holdings.length > 0 ? { position: 0, survives: new Set() } : null
}

/** What a class takes on the disk, as far as one can tell where all is packed together. */
const bytesOf = (holding: Holding, { types }: RingClass): number => bytesOfTypes(holding, types)

function bytesOfTypes({ bytes, index }: Holding, types: readonly string[]): number {
  const all = textBytesIn(index)
  const own = types.reduce((sum, type) => sum + (index.types[type]?.textBytes ?? 0), 0)
  return all === 0 ? 0 : (bytes * own) / all
}
