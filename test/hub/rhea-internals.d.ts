/** The parts of rhea that read a frame, which its own declarations do not name as modules. */

declare module 'rhea/lib/frames.js' {
  /** A frame's performative calls `on_<its name>` of whatever it is dispatched to. */
  type Frame = Readonly<{
    channel: number
    performative?: Readonly<{ dispatch(visitor: object, frame: Frame): void }>
    payload?: Buffer
  }>
  const frames: { read_frame(bytes: Buffer): Frame }
  export default frames
}

declare module 'rhea/lib/terminus.js' {
  const terminus: { unwrap(field: unknown): Readonly<{ address?: string }> | null }
  export default terminus
}
