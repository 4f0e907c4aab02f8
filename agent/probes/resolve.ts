/** Who finds the hub's name: each configured resolver and the host's own library; and whether they find any name at all. */
import { isIP } from 'node:net'
import { type Asked, ask, common, type Probe } from './probe.js'

export const resolve: Probe = {
  name: 'resolve',
  async run(context, tell) {
    const { host, heard, proxy, controlName } = context
    if (proxy !== null || isIP(host) !== 0 || heard.addresses !== null) return
    const resolvers = await context.resolvers()
    const names = [{ name: host, isHub: true }, ...(controlName === null ? [] : [{ name: controlName, isHub: false }])]
    const questions = names.flatMap(({ name, isHub }) => {
      const answered = (resolver: string, asked: Asked<readonly string[]> | null): void => {
        if (asked === null) return
        tell({ probe: 'resolve', ...common(asked), resolver, name, isHub, addresses: asked.found ?? [] })
      }
      const bySystem = async () => answered('system', await ask(context, signal => context.lookup(name, signal)))
      const byEach = resolvers.map(async resolver =>
        answered(resolver, await ask(context, signal => context.ask(resolver, name, signal))),
      )
      return isHub && heard.isNameLost ? byEach : [...byEach, bySystem()]
    })
    await Promise.all(questions)
  },
}
