/**
 * YAML 1.2 to plain values, with the way back: from a path in the value to a line and column in the
 * file, which is what makes an error message useful.
 */
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { type Place, type Problem, shown } from './problem.ts'

export type Path = readonly PropertyKey[]

/** One parsed file. */
export interface Source {
  readonly file: string
  readonly value: unknown
  /** Where a value stands; the nearest place above it where it stands nowhere. */
  readonly placeOf: (path: Path) => Place
  /** Where the key of a value stands. */
  readonly placeOfKey: (path: Path) => Place
  /** The text of a plain value as it stands in the file; `undefined` for a map or a list. */
  readonly writtenAt: (path: Path) => string | undefined
}

export type Parsed =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly problems: readonly Problem[] }

const depthMax = 50

/** Parse one file's text. With `secret` no sentence repeats anything that stands in it. */
export function parseYaml(file: string, text: string, secret: boolean): Parsed {
  const lines = new LineCounter()
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const fail = (message: string, offset = 0): Parsed => ({
    ok: false,
    problems: [{ ...at(offset), message }],
  })
  const deep = tooDeep(text)
  if (deep !== undefined) return fail('this is nested too deeply', deep)
  const doc = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    // Checked below: the library compares every key with every other, minutes for a large map.
    uniqueKeys: false,
    version: '1.2',
    stringKeys: true,
  })
  const fault = firstFault([...doc.errors, ...doc.warnings])
  if (fault !== undefined) return fail(`this is not YAML: ${faultText(fault)}`, fault.pos[0])
  const problems = [
    ...oddKeys(doc).map(({ key, fault }) => ({
      ...at(startOf(key)),
      message: `${secret ? 'a key' : `the key ${shown(key.value)}`} ${fault}`,
    })),
  ]
  if (problems.length > 0) return { ok: false, problems }
  if (doc.contents === null) return fail('the file is empty')
  let value: unknown
  try {
    value = doc.toJS({ maxAliasCount: 100 })
  } catch (error) {
    const { message } = error as Error
    if (/^Excessive alias/.test(message)) return fail('this repeats its aliases too often')
    return fail(secret ? 'an alias in it names no anchor' : firstLine(message))
  }
  return { ok: true, source: sourceOf(file, doc, value, at) }
}

const TABS = 'a tab in front of a line; indent with blanks'

/** What is wrong, in words of ours: those of the parser may repeat what stands there. */
const faultTexts: Readonly<Partial<Record<ErrorCode, string>>> = {
  ALIAS_PROPS: 'an alias (*) has a tag or an anchor; take that out',
  BAD_ALIAS: 'an alias (*) has no proper name; put a text that begins with * in quotes',
  BAD_DIRECTIVE: 'a line that begins with % means nothing here; take it out',
  BAD_DQ_ESCAPE: 'an escape in double quotes does not exist; use single quotes',
  BAD_INDENT: 'a line is not indented like its neighbours, or a bracket is not closed',
  BAD_SCALAR_START: 'a text begins with a character that none may begin with; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a map or a list stands where a key or a text is expected',
  BLOCK_IN_FLOW: 'a list or a map over several lines stands in brackets',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'a bracket, a quote, a comma, a colon or a blank is missing',
  MULTILINE_IMPLICIT_KEY: 'a key is longer than a line, or a colon is missing after one',
  MULTIPLE_DOCS: 'this is more than one document; take out the line ---',
  NON_STRING_KEY: 'a key is no text; put it in quotes',
  TAG_RESOLVE_FAILED: 'a text begins with a tag (!) that does not exist; put it in quotes',
  UNEXPECTED_TOKEN: 'something stands where nothing is expected; put a text in quotes',
}

function faultText({ code }: YAMLError): string {
  return code === 'TAB_AS_INDENT' ? TABS : (faultTexts[code] ?? 'its form is wrong')
}

/** The rest follows from it; a tab is what comes first, wherever it is found. */
function firstFault(faults: readonly YAMLError[]): YAMLError | undefined {
  const tab = faults.find(({ code }) => code === 'TAB_AS_INDENT')
  return tab ?? [...faults].sort((a, b) => a.pos[0] - b.pos[0])[0]
}

/**
 * The first place that is nested deeper than any configuration, judged generously and before the
 * parser, whose own depth is bounded by its stack alone.
 */
function tooDeep(text: string): number | undefined {
  let open = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '[' || char === '{') open++
    else if (char === ']' || char === '}') open = Math.max(0, open - 1)
    if (open > depthMax) return i
  }
  const compact = /^[ \t]*(?:[-?:][ \t]+){50}/m.exec(text)
  return compact?.index
}

interface OddKey {
  readonly key: Scalar
  readonly fault: string
}

/** Keys that would vanish: the first of two equal ones, and one that no object can hold. */
function oddKeys(doc: Document.Parsed): readonly OddKey[] {
  const odd: OddKey[] = []
  visit(doc, {
    Map(_, map) {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        const name = String(key.value)
        if (seen.has(name)) odd.push({ key, fault: 'stands twice in this map; take one out' })
        if (name === '__proto__') odd.push({ key, fault: 'cannot be used as a name' })
        seen.add(name)
      }
      return odd.length > 20 ? visit.BREAK : undefined
    },
  })
  return odd.slice(0, 20)
}

function firstLine(message: string): string {
  return message.split('\n')[0]?.trim() ?? ''
}

function sourceOf(
  file: string,
  doc: Document.Parsed,
  value: unknown,
  at: (offset: number) => Place,
): Source {
  const find = (path: Path, wantKey: boolean): Place => {
    let node: Node | null = doc.contents
    let place = at(startOf(node))
    for (const [depth, part] of path.entries()) {
      const step = descend(isAlias(node) ? (node.resolve(doc) ?? null) : node, part)
      if (step === undefined) return place
      const last = depth === path.length - 1
      node = step.value
      place = at(startOf((last && wantKey) || node === null ? (step.key ?? node) : node))
    }
    return place
  }
  const writtenAt = (path: Path): string | undefined => {
    let node: Node | null | undefined = doc.contents
    for (const part of path) {
      node = descend(isAlias(node) ? (node.resolve(doc) ?? null) : (node ?? null), part)?.value
    }
    const plain = isAlias(node) ? node.resolve(doc) : node
    return isScalar(plain) ? plain.source : undefined
  }
  return {
    file,
    value,
    writtenAt,
    placeOf: (path) => find(path, false),
    placeOfKey: (path) => find(path, true),
  }
}

interface Step {
  readonly key: Node | undefined
  readonly value: Node | null
}

/** One step down. Maps are indexed once: a file may hold many keys and as many mistakes. */
function descend(node: Node | null, part: PropertyKey): Step | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(part)]
    return item === undefined ? undefined : { key: undefined, value: item as Node }
  }
  if (!isMap(node)) return undefined
  const index = indexes.get(node) ?? indexOf(node)
  indexes.set(node, index)
  return index.get(String(part))
}

const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Step>>()

function indexOf(map: YAMLMap): ReadonlyMap<string, Step> {
  return new Map(
    map.items.flatMap(({ key, value }): [string, Step][] =>
      isScalar(key) ? [[String(key.value), { key, value: value as Node | null }]] : [],
    ),
  )
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0
}
