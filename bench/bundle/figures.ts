/** What one way of packing records came to. */
export type Figures = Readonly<{
  seconds: number
  /** Of all processes; on a busy machine it says more than the time. */
  processorSeconds: number
  /** Beyond what the process had before it began; of programs, all of it. */
  memoryBytes: number
  fileBytes: number
  /** The longest stall of the event loop; `null` where there is none. */
  stallMs: number | null
}>
