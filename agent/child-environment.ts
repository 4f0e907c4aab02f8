/** What a program that is started here learns of our environment, which may hold the connection string. */

/** Where programs lie, the time zone, and that it speaks English; whatever else it needs it gets as an argument. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', TZ } = env
  return { PATH, LC_ALL: 'C', ...(TZ === undefined ? {} : { TZ }) }
}
