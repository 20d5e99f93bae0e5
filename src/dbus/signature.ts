/**
 * D-Bus signatures: which types stand one after the other in a message.
 *
 * @source D-Bus Specification, "Type system": at most 255 bytes, 32 arrays and 32 structs deep.
 */

export type Type =
  | { readonly code: Basic }
  | { readonly code: 'v' }
  | { readonly code: 'a'; readonly element: Type }
  /** A struct, or with `entry` the pair of a dictionary. */
  | { readonly code: '('; readonly entry: boolean; readonly members: readonly Type[] }

export type Basic = (typeof BASIC)[number]

const BASIC = ['y', 'b', 'n', 'q', 'i', 'u', 'x', 't', 'd', 's', 'o', 'g', 'h'] as const
const SIGNATURE_MAX = 255
const DEPTH_MAX = 32

/** The types of a signature. Throws with what is wrong. */
export function parseSignature(text: string): readonly Type[] {
  if (text.length > SIGNATURE_MAX) throw new Error(`a signature of ${text.length} bytes`)
  const types: Type[] = []
  let at = 0
  while (at < text.length) {
    const { type, next } = typeAt(text, at, { arrays: 0, structs: 0 })
    types.push(type)
    at = next
  }
  return types
}

/** Exactly one type, as in a variant. */
export function parseSingle(text: string): Type {
  const [type, ...rest] = parseSignature(text)
  if (type === undefined || rest.length > 0) throw new Error(`${quote(text)} is not one type`)
  return type
}

/** Where a value of this type may begin: at a multiple of so many bytes. */
export function alignmentOf({ code }: Type): 1 | 2 | 4 | 8 {
  switch (code) {
    case 'y':
    case 'g':
    case 'v':
      return 1
    case 'n':
    case 'q':
      return 2
    case 'b':
    case 'i':
    case 'u':
    case 'h':
    case 's':
    case 'o':
    case 'a':
      return 4
    case 'x':
    case 't':
    case 'd':
    case '(':
      return 8
  }
}

interface Depth {
  readonly arrays: number
  readonly structs: number
}

function typeAt(text: string, at: number, depth: Depth): { type: Type; next: number } {
  const code = text[at]
  if (depth.arrays > DEPTH_MAX || depth.structs > DEPTH_MAX) {
    throw new Error(`${quote(text)} is nested too deeply`)
  }
  if (code === 'v') return { type: { code }, next: at + 1 }
  const basic = BASIC.find((known) => known === code)
  if (basic !== undefined) return { type: { code: basic }, next: at + 1 }
  if (code === 'a') {
    const inside = { ...depth, arrays: depth.arrays + 1 }
    const { type: element, next } =
      text[at + 1] === '{' ? groupAt(text, at + 1, inside) : typeAt(text, at + 1, inside)
    return { type: { code, element }, next }
  }
  if (code === '(') return groupAt(text, at, depth)
  throw new Error(`${quote(text)} is no signature`)
}

/** A struct or a dictionary's pair; the bracket stands at `at`. */
function groupAt(text: string, at: number, depth: Depth): { type: Type; next: number } {
  const entry = text[at] === '{'
  const inside = { ...depth, structs: depth.structs + 1 }
  const members: Type[] = []
  let next = at + 1
  while (next < text.length && text[next] !== (entry ? '}' : ')')) {
    const member = typeAt(text, next, inside)
    members.push(member.type)
    next = member.next
  }
  const closed = next < text.length
  const key = members[0]?.code
  const fits = entry ? members.length === 2 && key !== 'a' && key !== '(' && key !== 'v' : true
  if (!closed || members.length === 0 || !fits) throw new Error(`${quote(text)} is no signature`)
  return { type: { code: '(', entry, members }, next: next + 1 }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, SIGNATURE_MAX))
}
