/** The agent's own secrets, kept only to be removed: nothing here gives a value back. */
import { createNeedles, type Needles } from './needles.js'
import { merged, type Replaced, replaced, type Span } from './spans.js'

export interface Secrets {
  /**
   * Remember a value to be removed from now on. A value shorter than 8 characters is not taken, because removing it
   * would eat innocent text. Of each kind the newest 16 are remembered (tokens are renewed for ever).
   *
   * @param kind what stands in its place, `[removed:<kind>]`; letters and hyphens
   */
  add(kind: string, value: string): void
  /** Where a remembered value stands, in every form it may have taken on its way; they may overlap. */
  find(text: string): Span[]
  /** Remove each of them; counts are by kind. */
  scrub(text: string): Replaced
}

const shortest = 8
const rememberedPerKind = 16

/** So much of a form's head is looked for; whether the rest of it is there is asked where it was found. */
const headCharacters = 8

type Remembered = Readonly<{ kind: string; value: string; forms: readonly string[] }>

type Form = Readonly<{ kind: string; form: string }>
type Search = Readonly<{ forms: readonly Form[]; heads: Needles }>

export function createSecrets(): Secrets {
  let remembered: Remembered[] = []
  /** Made when it is needed: secrets come in groups. */
  let search: Search | null = null

  const find = (text: string): Span[] => {
    search ??= searchOf(remembered)
    const { forms, heads } = search
    const found: Span[] = []
    heads.search(text, (needle, headEnd) => {
      const { kind, form } = forms[needle]!
      const start = headEnd - Math.min(form.length, headCharacters)
      if (text.startsWith(form, start)) found.push({ kind, from: start, start, end: start + form.length })
    })
    return found
  }

  return {
    add(kind, value) {
      if (value.length < shortest || remembered.some(secret => secret.value === value)) return
      const sameKind = remembered.filter(secret => secret.kind === kind)
      const oldest = sameKind.length >= rememberedPerKind ? sameKind[0] : undefined
      remembered = [...remembered.filter(secret => secret !== oldest), { kind, value, forms: formsOf(value) }]
      search = null
    },
    find,
    scrub: text => replaced(text, merged(find(text))),
  }
}

function searchOf(remembered: readonly Remembered[]): Search {
  const forms = remembered.flatMap(({ kind, forms }) => forms.map(form => ({ kind, form })))
  const heads = forms.map(({ form }) => form.slice(0, headCharacters))
  return { forms, heads: createNeedles(heads, { ignoreCase: false }) }
}

/** Every spelling under which a value may travel. */
function formsOf(value: string): string[] {
  const url = encodeURIComponent(value)
  const lowerUrl = url.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())
  const json = JSON.stringify(value).slice(1, -1)
  const unpadded = value.replace(/=+$/, '')
  const forms = [
    value,
    unpadded,
    unpadded.replaceAll('+', '-').replaceAll('/', '_'),
    value.replaceAll('+', '%2B'),
    value.replaceAll('+', '%2b'),
    url,
    lowerUrl,
    encodeURIComponent(url),
    encodeURIComponent(lowerUrl),
    json,
    json.replaceAll('/', '\\/'),
    json.replaceAll('/', '\\\\/'),
    ...escapes.map(([characters, upper]) => unicodeEscaped(json, characters, upper)),
    ...[0, 1, 2].flatMap(offset => base64Forms(value, offset)),
  ]
  return [...new Set(forms)].filter(form => form.length >= shortest)
}

/** Which characters JSON writers of other languages escape by number, and in which case. */
const escapes: readonly (readonly [characters: string, upper: boolean])[] = [
  ['+', true],
  ['+', false],
  ['+&<>=', true],
  ['+&<>=', false],
  ['+&<>=/', true],
  ['+&<>=/', false],
]

function unicodeEscaped(text: string, characters: string, upper: boolean): string {
  return [...text]
    .map(character => {
      if (!characters.includes(character)) return character
      const hex = character.charCodeAt(0).toString(16).padStart(4, '0')
      return `\\u${upper ? hex.toUpperCase() : hex}`
    })
    .join('')
}

/**
 * The part of a base64 text that depends on the value alone when it starts `offset` bytes into a group of three:
 * what stands before and after the value in the encoded text changes the characters at its edges.
 */
function base64Forms(value: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)])
  const encoded = bytes.toString('base64').replace(/=+$/, '')
  const edge = [0, 2, 3][offset] ?? 0
  const whole = bytes.length % 3 === 0 ? encoded.length : encoded.length - 1
  const standard = encoded.slice(edge, whole)
  return [standard, standard.replaceAll('+', '-').replaceAll('/', '_')]
}
