/** Reads a source file as far as a rule about code needs it: what is code, and what is only text. */

/** Comments, regular expressions, strings, and the marks that a template is read by. */
const token = new RegExp(
  [
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*/,
    /(?<=[(,=:[!&|?{};\n]\s*|return\s+)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/,
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/,
    /\$\{|[{}`]|\\.|[^\\/'"`{}$]+|[\s\S]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

/**
 * Blank out comments and the insides of strings; what stands in `${}` stays. Empty for a text that
 * cannot be read that way.
 */
export function codeOf(text: string): string {
  // How many braces are open in each `${` that we are in.
  const depths: number[] = []
  let inTemplate = false
  let code = ''
  for (const [part] of text.matchAll(token)) {
    if (inTemplate) {
      inTemplate = part !== '`' && part !== '${'
      if (part === '${') depths.push(0)
      code += inTemplate ? blank(part) : part
      continue
    }
    const depth = depths.pop()
    if (depth !== undefined && part === '}' && depth === 0) inTemplate = true
    else if (depth !== undefined) depths.push(depth + Number(part === '{') - Number(part === '}'))
    if (part === '`') inTemplate = true
    code += /^(\/[^\s]|['"].)/s.test(part) ? blank(part) : part
  }
  return inTemplate || depths.length > 0 ? '' : code
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ')
}
