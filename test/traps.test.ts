/** docs/traps.md: every trap of the power APIs is there, and the tests that it names exist. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const docs = join(import.meta.dirname, '../docs')
const page = readFileSync(join(docs, 'traps.md'), 'utf8')

/** How many traps are known of each interface. One that is new is counted here first. */
const known = [
  ['3.1', 10],
  ['3.2', 7],
  ['3.3', 8],
  ['3.7', 8],
  ['3.8', 5],
  ['3.21', 11],
  ['4', 22],
  ['5', 11],
] as const

const rows = [...page.matchAll(/^\| ([\d.]+\/\d+) \| (.+?) \| (.+) \|$/gm)].map(
  ([, id = '', says = '', proof = '']) => ({ id, says, proof }),
)

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

test('every known trap is in docs/traps.md, once and in order', () => {
  const expected = known.flatMap(([section, count]) =>
    Array.from({ length: count }, (_, at) => `${section}/${at + 1}`),
  )
  assert.deepEqual(
    rows.map(({ id }) => id),
    expected,
  )
})

test('every trap names the tests that prove it closed, and they exist', () => {
  const titles = new Map<string, readonly RegExp[]>()
  const missing: string[] = []
  for (const { id, proof } of rows) {
    const named = [...proof.matchAll(/\[(.+?)\]\((\.\.\/test\/[\w./-]+)\)(?:<br>|$)/g)]
    const reason = /^no driver yet: .{20,}/.test(proof)
    const whole = named.map(([text]) => text).join('') === proof
    if (!reason && !(named.length > 0 && whole)) missing.push(`${id} names no test`)
    for (const [, title = '', target = ''] of named) {
      const path = join(docs, target)
      if (!existsSync(path)) missing.push(`${id}: there is no ${target}`)
      else if (target.endsWith('.ts')) {
        if (!titles.has(path)) titles.set(path, titlesIn(path))
        const found = titles.get(path)?.some((pattern) => pattern.test(title))
        if (!found) missing.push(`${id}: ${target} has no test "${title}"`)
      }
    }
  }
  assert.deepEqual(missing, [])
})
