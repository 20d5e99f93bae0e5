/** Reads a source file as far as a rule about code needs it: what is code, and what is only text. */

/** What is only text: comments, regular expressions, strings. */
const hidden = new RegExp(
  [
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*/,
    /(?<=[(,=:[!&|?{};\n]\s*|return\s+)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/,
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
)
/** The text of a template, up to its end or to the next `${`. */
const templateText = /(?:\\[\s\S]|\$(?!\{)|[^\\`$])*/y

/**
 * Blank out comments and the insides of strings; what stands in `${}` stays. Empty for a text that
 * cannot be read that way.
 */
export function codeOf(text: string): string {
  // For each `${` that we are in: how many braces are open in it.
  const open: number[] = []
  let code = ''
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = code.length
    return pattern.exec(text)?.[0] ?? ''
  }
  const readTemplate = () => {
    code += blank(take(templateText))
    if (text.startsWith('${', code.length)) open.push(0)
    code += text.startsWith('${', code.length) ? '${' : '`'
  }
  while (code.length < text.length) {
    const only = take(hidden)
    const char = text[code.length] ?? ''
    code += only === '' ? char : blank(only)
    if (only !== '') continue
    const depth = open.at(-1)
    if (depth !== undefined && char === '{') open.splice(-1, 1, depth + 1)
    if (depth !== undefined && char === '}') {
      open.pop()
      if (depth === 0) readTemplate()
      else open.push(depth - 1)
    }
    if (char === '`') readTemplate()
  }
  return open.length > 0 || code.length !== text.length ? '' : code
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ')
}
