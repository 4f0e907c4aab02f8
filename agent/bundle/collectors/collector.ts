/** What gathers from outside hubrec what the configuration names. To add one, write a file and name it in collectors.ts. */
import type { CollectorSettings } from '../../config/config.js'
import type { Part, PartContext } from '../part.js'

export type Collector = Readonly<{
  /** As a choice names it. */
  name: string
  /**
   * One part for each thing that it gathers, known when its turn comes.
   *
   * @param context of the bundle; what is not to be shipped as it is goes through its `text` and `textStream`
   */
  partsOf(settings: CollectorSettings, context: CollectContext): AsyncIterable<Part> | Iterable<Part>
}>

export type CollectContext = Pick<PartContext, 'text' | 'textStream' | 'window' | 'signal' | 'stateDir'>

/** Beyond the time that what is gathered from may take: to write out what it gave. */
export const writingMs = 5_000
