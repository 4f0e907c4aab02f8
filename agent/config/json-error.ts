/**
 * Where a text stops being JSON. V8 says it for some mistakes only, and for the others it repeats a piece of the text,
 * which in a configuration may be a secret.
 */

export type JsonError = Readonly<{
  /** Both from 1. */
  line: number
  column: number
  expected: string
}>

const space = /[ \t\n\r]*/y
const token =
  /[{}[\],:]|"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

type Expecting = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'more' | 'end'

const inWords: Record<Expecting, string> = {
  value: 'a value',
  'value or ]': 'a value or "]"',
  key: 'a key in double quotes',
  'key or }': 'a key in double quotes or "}"',
  colon: '":"',
  more: '"," or the closing bracket',
  end: 'nothing more',
}

/** @param text one that JSON.parse refused */
export function findJsonError(text: string): JsonError {
  const open: ('{' | '[')[] = []
  let expecting: Expecting = 'value'
  let at = 0

  for (;;) {
    at = endOf(space, text, at) ?? at
    const end = endOf(token, text, at)
    const next: Expecting | null = end === null ? null : follow(expecting, text.slice(at, end), open)
    if (end === null || next === null) break
    expecting = next
    at = end
  }
  const before = text.slice(0, at).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, expected: inWords[expecting] }
}

function endOf(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : null
}

/** What may come after this token, or `null` where the token itself may not come. Keeps the stack of open brackets. */
function follow(expecting: Expecting, found: string, open: ('{' | '[')[]): Expecting | null {
  const after = (): Expecting => (open.length === 0 ? 'end' : 'more')
  const inner = open.at(-1)

  if (expecting === 'colon') return found === ':' ? 'value' : null
  if (expecting === 'more' && found === ',') return inner === '{' ? 'key' : 'value'
  if ((expecting === 'more' || expecting === 'key or }') && found === '}' && inner === '{') {
    open.pop()
    return after()
  }
  if ((expecting === 'more' || expecting === 'value or ]') && found === ']' && inner === '[') {
    open.pop()
    return after()
  }
  if (expecting === 'key' || expecting === 'key or }') return found.startsWith('"') ? 'colon' : null
  if (expecting !== 'value' && expecting !== 'value or ]') return null
  if (found === '{' || found === '[') {
    open.push(found)
    return found === '{' ? 'key or }' : 'value or ]'
  }
  return /^[}\],:]/.test(found) ? null : after()
}
