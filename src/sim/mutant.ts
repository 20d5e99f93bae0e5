/**
 * A mutant: the core with one rule taken out, to see whether the promises notice. It is a text
 * replacement in one source file, made while that file is loaded; nothing on disk changes.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

export interface Mutant {
  readonly name: string
  /** The rule or promise that it breaks: `S8`, `P2`. */
  readonly rule: string
  /** The source file, from `src/`. */
  readonly file: string
  /** Occurs exactly once in that file. */
  readonly find: string
  readonly replace: string
  /** What goes wrong in the cluster without it. */
  readonly because: string
  /** A biased swarm in which it shows, where the plain one hardly shows it. */
  readonly swarm?: string
}

const sources = new URL('..', import.meta.url)

/** Where it would be applied, with the text that it would become. Throws when it does not fit. */
export function mutated({ name, file, find, replace }: Mutant): { url: string; text: string } {
  const url = new URL(file, sources)
  const parts = readFileSync(url, 'utf8').split(find)
  if (parts.length !== 2) {
    const times = parts.length - 1
    throw new Error(
      `mutant ${name}: its text occurs ${times} times in src/${file}; it must occur exactly once`,
    )
  }
  return { url: url.href, text: parts.join(replace) }
}

/** From now on this thread loads the mutant. Returns a way to ask whether it has been loaded. */
export function mutate(mutant: Mutant): () => boolean {
  const { url, text } = mutated(mutant)
  let loaded = false
  registerHooks({
    load(wanted, context, next) {
      const found = next(wanted, context)
      if (wanted !== url) return found
      loaded = true
      return { ...found, source: text }
    },
  })
  return () => loaded
}
