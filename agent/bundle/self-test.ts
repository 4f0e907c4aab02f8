/** The proof that redaction works, in each bundle: a secret is planted, and everything that comes out is searched. */
import { randomBytes } from 'node:crypto'
import { createSecrets, type Secrets } from '../../transports/secrets.js'

export interface SelfTest {
  readonly plantedSecret: string
  /** Looks at what is about to be shipped, in order. Pieces are whole lines or whole documents. */
  search(piece: string): void
  /** Whether any secret was seen. */
  readonly failed: boolean
}

/** Overlap of two pieces, longer than any form of the planted secret. */
const overlapCharacters = 512

/** @param secrets what must not be in it */
export function createSelfTest(secrets: Secrets): SelfTest {
  const plantedSecret = plantedIn.get(secrets) ?? plant(secrets)
  // Known by itself as well, so that a redactor that does nothing is found out.
  const planted = createSecrets()
  planted.add('planted', plantedSecret)
  let before = ''
  let failed = false

  const isClean = (text: string): boolean => planted.find(text).length === 0

  return {
    plantedSecret,
    search(piece) {
      if (!isClean(before + piece) || !piece.split('\n').every(line => hasNone(line, secrets))) failed = true
      before = piece.slice(-overlapCharacters)
    },
    get failed() {
      return failed
    },
  }
}

/** One for each process, because what is a secret once stays one, and each costs a search of every record from then on. */
const plantedIn = new WeakMap<Secrets, string>()

function plant(secrets: Secrets): string {
  // Characters that every encoding writes differently.
  const secret = `hubrec/self-test+${randomBytes(18).toString('base64')}/=`
  secrets.add('planted', secret)
  plantedIn.set(secrets, secret)
  return secret
}

function hasNone(line: string, secrets: Secrets): boolean {
  if (secrets.find(line).length === 0) return true
  // Seen as plain text an escape can look like the head of a secret; seen as JSON it cannot.
  const value = parse(line)
  return value !== undefined && textsIn(value).every(text => secrets.find(text).length === 0)
}

function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  return Object.entries(value).flatMap(([key, item]) => [key, ...textsIn(item)])
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/,$/, ''))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
