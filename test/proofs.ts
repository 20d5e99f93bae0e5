/** Cells of tables in the documents that name tests as proofs: `[title](../test/…)`, one a line. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The titles of the tests in a file, as patterns: what a template fills in is anything. */
function titlesIn(path: string): readonly RegExp[] {
  const text = readFileSync(path, 'utf8')
  const calls = /\b(?:test|both|run)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`([^`]*)`)/g
  return [...text.matchAll(calls)].flatMap(([, single, double, template]) => {
    const parts = (single ?? double ?? template ?? '').replace(/\\(.)/g, '$1').split(/\$\{.*?\}/)
    // A title that is all filled in would be any.
    return parts[0] === '' ? [] : [new RegExp(`^${parts.map(RegExp.escape).join('.*')}$`)]
  })
}

const known = new Map<string, readonly RegExp[]>()

/** What is wrong with the tests that a cell names, for the row `id` of a document in `folder`. */
export function wrongIn(folder: string, id: string, cell: string): readonly string[] {
  const named = [...cell.matchAll(/\[(.+?)\]\((\.\.\/test\/[\w./-]+)\)(?:<br>|$)/g)]
  const whole = named.map(([text]) => text).join('') === cell
  const none = named.length > 0 && whole ? [] : [`${id} names no test`]
  const gone = named.flatMap(([, title = '', target = '']) => {
    const path = join(folder, target)
    if (!existsSync(path)) return [`${id}: there is no ${target}`]
    if (!target.endsWith('.ts')) return []
    const titles = known.get(path) ?? titlesIn(path)
    known.set(path, titles)
    const found = titles.some((pattern) => pattern.test(title))
    return found ? [] : [`${id}: ${target} has no test "${title}"`]
  })
  return [...none, ...gone]
}
