/** What a configuration may name for collecting: plain questions about a value, for the schema. */

export const isUnitName = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}$/.test(value)

export const isEdgeModuleName = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(value)

/** Below these there are no files, but the kernel itself. */
const notFiles = ['/proc', '/sys', '/dev']

export const isFileRoot = (value: unknown): value is string =>
  isPlainPath(value) && !value.endsWith('/') && !notFiles.some(place => isWithin(value, place))

export const isFilePattern = (value: unknown): value is string => isPlainPath(value) && value.length <= 1024

/** Whether the part of a pattern before its first special character already leads there. */
export const isBelowRoot = (pattern: string, roots: readonly string[]): boolean =>
  roots.some(root => pattern.startsWith(`${root}/`))

/** Absolute and without detours. */
const isPlainPath = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.length > 1 &&
  value.startsWith('/') &&
  !value.includes('\0') &&
  !value.split('/').some(segment => segment === '..' || segment === '.') &&
  !value.includes('//')

export const isWithin = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`)
