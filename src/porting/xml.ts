/**
 * A small strict reader of XML, for what Pacemaker writes: elements and attributes. Text between
 * elements says nothing there and is passed over; a document type, and with it every entity of its
 * own, is refused. It keeps the line of each element, for sentences about it.
 */

export interface XmlElement {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  readonly line: number
}

export type XmlResult =
  | { readonly ok: true; readonly root: XmlElement }
  | { readonly ok: false; readonly line: number; readonly message: string }

/** Deeper than any CIB, with its rules in rules. */
const depthMax = 100

const attribute = `[A-Za-z_][\\w:.-]*\\s*=\\s*(?:"[^"<]*"|'[^'<]*')`

/** A tag with its attributes, or what may be skipped: text, declarations and comments. */
const token = new RegExp(
  [
    `<(/?)([A-Za-z_][\\w:.-]*)((?:\\s+${attribute})*)\\s*(/?)>`,
    '[^<]+|<!\\[CDATA\\[[\\s\\S]*?\\]\\]>|<\\?[\\w-]+\\s[^<>]*\\?>|<!--[\\s\\S]*?-->',
  ].join('|'),
  'y',
)

interface Open {
  readonly element: XmlElement
  readonly children: XmlElement[]
}

/** Read a whole document. No sentence repeats anything that stands in it. */
export function readXml(text: string): XmlResult {
  const children: XmlElement[] = []
  const open: Open[] = [
    { element: { name: '', attributes: new Map(), children, line: 0 }, children },
  ]
  let at = text.startsWith('\ufeff') ? 1 : 0
  let line = 1
  const fail = (message: string): XmlResult => ({ ok: false, line, message })
  while (at < text.length) {
    token.lastIndex = at
    const match = token.exec(text)
    const parent = open.at(-1)
    if (match === null || parent === undefined) return fail('this is not XML, or not this kind')
    const [whole, closing, name, attributes = '', empty] = match
    if (closing === '/') {
      if (name !== parent.element.name || open.length === 1 || attributes !== '') {
        return fail('an element ends here that is not open')
      }
      open.pop()
    } else if (name !== undefined) {
      if (open.length > depthMax) return fail('this is nested too deeply')
      const read = attributesOf(attributes)
      if (read === undefined) return fail('an attribute stands twice in this element')
      const own: XmlElement[] = []
      const element = { name, attributes: read, children: own, line }
      parent.children.push(element)
      if (empty !== '/') open.push({ element, children: own })
    } else if (open.length === 1 && !whole.startsWith('<') && whole.trim() !== '') {
      return fail('this is not XML')
    }
    for (let i = 0; i < whole.length; i++) if (whole.charCodeAt(i) === 10) line++
    at += whole.length
  }
  const [root] = children
  if (open.length > 1) return fail('it ends before its elements do')
  if (root === undefined) return fail('there is nothing in it')
  if (children.length > 1) return fail('it has more than one root')
  return { ok: true, root }
}

function attributesOf(text: string): ReadonlyMap<string, string> | undefined {
  const pairs = [...text.matchAll(/([A-Za-z_][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)]
  const all = new Map(pairs.map(([, name = '', a, b]) => [name, plain(a ?? b ?? '')]))
  return all.size === pairs.length ? all : undefined
}

const entities: Readonly<Record<string, string>> = {
  ...{ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' },
}

function plain(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([a-z]+));/g,
    (found, ten, hex, name) => {
      if (name !== undefined) return entities[name] ?? found
      const code = ten === undefined ? Number.parseInt(hex, 16) : Number(ten)
      return code <= 0x10ffff ? String.fromCodePoint(code) : found
    },
  )
}

/** The elements of that name right below this one. */
export function below(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? []
}

/** An attribute; empty where it is not there. */
export function attr(element: XmlElement, name: string): string {
  return element.attributes.get(name) ?? ''
}
