/**
 * What an import comes to before it is written: nodes with their levels, what is kept as a comment,
 * and what there is to say about it. A step only gets in as its driver takes it, so that what is
 * written can be loaded.
 */
import type { Catalog } from '../config/catalog.ts'
import { canonicalJson } from '../config/hash.ts'
import { isSecret } from '../config/merge.ts'
import { printable } from '../foreign/printable.ts'

/** Said to whoever imports. `lost`: it is not as it was, and has to be seen to. */
export interface Remark {
  readonly lost: boolean
  /** In the file that was read; 0 where none is meant. */
  readonly line: number
  /** Never a secret, and no value that could be one. */
  readonly text: string
}

/** A step as it would be written: what may be seen, and what belongs into the secrets file. */
export interface DraftStep {
  readonly driver: string
  readonly options: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, unknown>>
  /** What every step may say, whatever its driver. */
  readonly common?: Readonly<Record<string, unknown>>
}

export interface DraftLevel {
  readonly steps: DraftStep[]
  verify: boolean
}

/** What no step could be made of: it stands in the files as a comment, so that nothing is lost. */
export interface Kept {
  readonly why: string
  readonly open: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, unknown>>
}

export interface DraftNode {
  readonly name: string
  addresses: readonly string[]
  priority: number
  readonly levels: DraftLevel[]
  readonly kept: Kept[]
}

export interface Draft {
  readonly cluster: string
  /** A sentence: what it was made from. */
  readonly origin: string
  readonly nodes: readonly DraftNode[]
  /** The section `fence`. */
  readonly fence: Readonly<Record<string, unknown>>
  readonly remarks: readonly Remark[]
}

/** A node without anything yet. */
export function draftNode(name: string): DraftNode {
  return { name, addresses: [], priority: 0, levels: [], kept: [] }
}

/** Why a step cannot stand. `final`: in no other form of it either. */
export interface Refusal {
  readonly why: string
  readonly final: boolean
}

/** Judges steps as the loader will, by what was taken in before. */
export class Fitter {
  readonly #catalog: Catalog
  /** By driver and node: the secrets that stand for it, of which there is one set. */
  readonly #secrets = new Map<string, string>()
  /** By driver and open options: whose device it is. */
  readonly #owners = new Map<string, string>()

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** Why this step cannot stand at this node; `undefined` where it can, and then it is taken in. */
  async refusal(
    node: string,
    { driver: name, options, secrets }: DraftStep,
  ): Promise<Refusal | undefined> {
    const driver = await this.#catalog.loadDriver(name)
    const parsed = driver.options.safeParse({ ...options, ...secrets })
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      const where = issue?.path.map(String).join('.') ?? ''
      const message = isSecret(driver, String(issue?.path[0])) ? 'cannot be used' : issue?.message
      const why = printable(`${where === '' ? '' : `${where} `}${message}`, 160)
      return { why, final: false }
    }
    const own = `${name} ${node}`
    const wanted = canonicalJson(secrets)
    const before = this.#secrets.get(own)
    // What stands there goes to every step of that driver.
    if (before !== undefined && before !== wanted) {
      const why = `the secrets file holds one login of ${name} for a node, and this is another one`
      return { why, final: false }
    }
    const open = Object.entries(parsed.data).filter(([key]) => !isSecret(driver, key))
    const device = canonicalJson([name, Object.fromEntries(open)])
    const owner = this.#owners.get(device)
    if (owner !== undefined && owner !== node) {
      const both = `${owner} and ${node}`
      return { why: `it is the very device of ${owner}, and would cut ${both} alike`, final: true }
    }
    this.#secrets.set(own, wanted)
    this.#owners.set(device, node)
    return undefined
  }
}
