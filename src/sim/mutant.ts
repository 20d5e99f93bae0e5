/**
 * A mutant: the core with one rule taken out, to see whether the promises notice. It is a text
 * replacement in one source file, made while that file is loaded; nothing on disk changes.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

export interface Edit {
  /** The source file, from `src/`. */
  readonly file: string
  /** Occurs exactly once in that file. */
  readonly find: string
  readonly replace: string
}

export interface Mutant extends Edit {
  readonly name: string
  /** The rule or promise that it breaks: `S8`, `P2`. */
  readonly rule: string
  /** Where a rule is held twice, the second hold, in another file. */
  readonly also?: Edit
  /** What goes wrong in the cluster without it. */
  readonly because: string
  /** A biased swarm in which it shows, where the plain one hardly shows it. */
  readonly swarm?: string
  /**
   * A scenario in which it shows, where no swarm is likely to come by: a file in test/scenarios.
   */
  readonly scenario?: string
}

const sources = new URL('..', import.meta.url)

/** Where it would be applied, with the text that it would become. Throws when it does not fit. */
export function mutated({ name, also, ...edit }: Mutant): ReadonlyMap<string, string> {
  const edits: readonly Edit[] = also === undefined ? [edit] : [edit, also]
  return new Map(
    edits.map(({ file, find, replace }) => {
      const url = new URL(file, sources)
      const parts = readFileSync(url, 'utf8').split(find)
      if (parts.length === 2) return [url.href, parts.join(replace)]
      const times = parts.length - 1
      throw new Error(
        `mutant ${name}: its text occurs ${times} times in src/${file}; it must occur exactly once`,
      )
    }),
  )
}

/** From now on this thread loads the mutant. Returns a way to ask whether it has been loaded. */
export function mutate(mutant: Mutant): () => boolean {
  const texts = mutated(mutant)
  const loaded = new Set<string>()
  registerHooks({
    load(wanted, context, next) {
      const found = next(wanted, context)
      const text = texts.get(wanted)
      if (text === undefined) return found
      loaded.add(wanted)
      return { ...found, source: text }
    },
  })
  return () => loaded.size === texts.size
}
