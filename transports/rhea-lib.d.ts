/** The parts of rhea that its own types leave out: its codec, without a connection around it. */
declare module 'rhea/lib/frames.js' {
  /** A performative knows its name only by what it calls: `on_open`, `on_attach`. */
  interface Performative {
    dispatch(target: object, frame: unknown): void
  }
  const frames: {
    read_frame(buffer: Buffer): { channel: number; performative?: Performative; payload?: Buffer }
    write_frame(frame: object): Buffer
    amqp_frame(channel: number, performative?: object, payload?: Buffer): object
    open(fields: object): object
    begin(fields: object): object
    attach(fields: object): object
    flow(fields: object): object
    transfer(fields: object): object
    disposition(fields: object): object
    detach(fields: object): object
    end(fields: object): object
    close(fields: object): object
  }
  export default frames
}
declare module 'rhea/lib/terminus.js' {
  const terminus: {
    unwrap(field: unknown): { address: string | null } | null
    source(fields: object): { described(): object }
    target(fields: object): { described(): object }
  }
  export default terminus
}
